package rowsync

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/rowsync/rowsync/model"
)

// echoTime is how long an echo is expected.
const echoTime = time.Minute

// ExpectEcho says that the Subscriber wrote a row once: the next change of it
// that comes without a label is then taken for the echo of that, see
// [Subscriber.ShouldUpdate]. It is for writes that cannot be marked; a mark is
// exact, and this is a count: call it before the row is written, and
// [Subscriber.CancelEcho] if the write fails. Until the echo has come, a change
// by somebody else is taken for it, and then the echo for news, so that nothing
// is lost. An event that stands for several changes is an echo only if as many
// are expected. What is expected is given up after a minute, and with a [Reset].
//
// row is a struct of a watched model, or a pointer to one, with its key set.
// Whether an event is an echo is decided when [Subscriber.Events] yields it.
func (s *Subscriber) ExpectEcho(row any) error {
	id, err := s.client.rowOf(row)
	if err != nil {
		return fmt.Errorf("expect echo: %w", err)
	}
	s.own.byHand.Store(true)
	s.own.echoes.expect(id)
	return nil
}

// CancelEcho takes one call of [Subscriber.ExpectEcho] for the row back: the
// write did not come about, or changed nothing. If somebody else's change has
// been taken for the echo meanwhile, its event comes again, as news. Without a
// call of ExpectEcho, or a minute after it, it does nothing.
func (s *Subscriber) CancelEcho(row any) error {
	id, err := s.client.rowOf(row)
	if err != nil {
		return fmt.Errorf("cancel echo: %w", err)
	}
	if ev := s.own.echoes.cancel(id); ev != nil {
		// It was somebody else's change after all: told again, as news.
		ev.Position = Position{Epoch: s.client.epoch.Load(), Seq: s.client.clock.Advance(1)}
		s.queue.push(ev, rowID{})
	}
	return nil
}

// rowOf names the row that a struct of a watched model shows.
func (c *Client) rowOf(row any) (rowID, error) {
	v := reflect.ValueOf(row)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return rowID{}, fmt.Errorf("%T is no row: pass a struct of a watched model, or a pointer to one that is not nil", row)
	}
	m, err := modelOf(c.opts.Models, v.Type())
	if err != nil {
		return rowID{}, err
	}
	table, mapper := c.schema.table(m.Schema, m.Table), c.schema.plans.Mappers[m]
	if table == nil || mapper == nil {
		return rowID{}, fmt.Errorf("model %s is not watched: add rowsync.WatchModel[%s]() to Options.Watchers", m, m.Type)
	}
	columns := make([]*model.Column, len(table.Capture.Key))
	for i, name := range table.Capture.Key {
		for _, column := range m.Columns {
			if column.Name == name {
				columns[i] = column
			}
		}
		if columns[i] == nil {
			return rowID{}, fmt.Errorf("model %s has no field for %q, which is in the key of table %s: add one", m, name, table.Capture)
		}
	}
	key, set, err := mapper.KeyOf(v, columns)
	if err == nil && !set {
		err = fmt.Errorf("row of model %s has a null in its key", m)
	}
	return rowID{table.Capture, key}, err
}

// settle decides whether an event that is taken from the queue is an echo that
// was expected.
func (s *Subscriber) settle(e *Event) {
	switch {
	case s.own.echoes.none():
	case e.Reset != nil:
		s.own.echoes.forget(e.Reset.Table)
	case e.Label == "":
		t := s.client.schema.index.Table(e.Table)
		was, hadOld := t.KeyOf(0, e.Old)
		now, hasNew := t.KeyOf(0, e.New)
		told := *e
		if hasNew && s.own.echoes.take(rowID{e.Table, now}, e.joined+1, &told) ||
			hadOld && (!hasNew || was != now) && s.own.echoes.take(rowID{e.Table, was}, e.joined+1, &told) {
			e.echoTo = s
		}
	}
}

// echoes counts, for each row, the own writes whose changes have not come.
type echoes struct {
	mu sync.Mutex
	// due says when each is given up, the earliest first.
	due map[rowID][]time.Time
	// taken is the last event of each row that was taken for an echo.
	taken map[rowID]takenEcho
	swept time.Time
}

// takenEcho is an event that was taken for an echo, until it is forgotten.
type takenEcho struct {
	event *Event
	until time.Time
}

// none reports whether nothing is expected.
func (e *echoes) none() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.due) == 0
}

func (e *echoes) expect(row rowID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.due == nil {
		e.due = map[rowID][]time.Time{}
	}
	e.sweep()
	e.due[row] = append(e.current(row), time.Now().Add(echoTime))
	delete(e.taken, row) // what was taken before was an echo
}

// cancel takes back the newest. If it has been taken already, cancel returns the
// event that was taken for it.
func (e *echoes) cancel(row rowID) *Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	if due := e.current(row); len(due) > 0 {
		e.set(row, due[:len(due)-1])
		return nil
	}
	taken, ok := e.taken[row]
	delete(e.taken, row)
	if !ok || !taken.until.After(time.Now()) {
		return nil
	}
	return taken.event
}

// take takes the earliest n of a row, and reports whether there were as many, so
// that the event is an echo.
func (e *echoes) take(row rowID, n int, event *Event) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	due := e.current(row)
	e.set(row, due[min(n, len(due)):])
	if n > len(due) {
		return false
	}
	if e.taken == nil {
		e.taken = map[rowID]takenEcho{}
	}
	e.taken[row] = takenEcho{event, time.Now().Add(echoTime)}
	return true
}

// forget gives up what is expected of a table, or of all if it is nil: changes
// of it may be among those that were missed.
func (e *echoes) forget(t *Table) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for row := range e.due {
		if t == nil || row.table == t {
			delete(e.due, row)
		}
	}
}

// current returns what is still expected of a row.
func (e *echoes) current(row rowID) []time.Time {
	due, now := e.due[row], time.Now()
	for len(due) > 0 && !due[0].After(now) {
		due = due[1:]
	}
	return due
}

func (e *echoes) set(row rowID, due []time.Time) {
	if len(due) == 0 {
		delete(e.due, row)
		return
	}
	e.due[row] = due
}

// sweep gives up what was not taken in its time, so that rows whose events
// never come do not pile up.
func (e *echoes) sweep() {
	now := time.Now()
	if now.Sub(e.swept) < echoTime {
		return
	}
	e.swept = now
	for row := range e.due {
		e.set(row, e.current(row))
	}
	for row, taken := range e.taken {
		if !taken.until.After(now) {
			delete(e.taken, row)
		}
	}
}
