package rowsync

import (
	"sync"

	"github.com/rowsync/rowsync/internal/mapper"
)

// queue holds the events that a Subscriber has not yet taken. It is bounded:
// events of one row become one, and past the bound all of them become a Reset.
type queue struct {
	limit int
	wake  chan struct{} // holds a token while there may be something to take

	mu sync.Mutex
	// waiting[head:] wait. pending says which of them is the last of its row,
	// counted from the first that ever waited, of which gone are dropped.
	waiting []queued
	head    int
	gone    int
	pending map[rowID]int
	last    uint64 // position of the last change pushed without a label
	closed  bool
}

// queued is an event that waits; row is zero if it is not joined with others.
type queued struct {
	event *Event
	row   rowID
	// first is the position of the first change that the event stands for.
	first Position
}

// rowID names a row within its table.
type rowID struct {
	table *Table
	key   mapper.Key
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1), pending: map[rowID]int{}}
}

// push adds the event of a row. Without a label, what is followed in two ways is
// told once. With a zero row, the event is not joined with others.
func (q *queue) push(e *Event, row rowID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if e.Label == "" {
		if q.last == e.Position.Seq {
			return
		}
		q.last = e.Position.Seq
	}
	if at, ok := q.pending[row]; ok {
		w := &q.waiting[at-q.gone]
		if merged, ok := w.event.merged(*e); ok {
			w.event = &merged
			return
		}
	}
	if q.full() {
		q.replace(&Event{Position: e.Position, Reset: &Reset{
			Reason: "the subscriber fell behind and its buffer is full",
		}})
		return
	}
	if row == (rowID{}) {
		clear(q.pending) // a change after this one must not be joined with one before it
	} else {
		q.pending[row] = q.gone + len(q.waiting)
	}
	q.waiting = append(q.waiting, queued{e, row, e.Position})
	q.signal()
}

// pushReset adds a Reset. One that concerns every table takes the place of
// everything that waits.
func (q *queue) pushReset(e *Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
	case e.Reset.Table == nil:
		q.replace(e)
	case q.full():
		q.replace(&Event{Position: e.Position, Reset: &Reset{Reason: e.Reset.Reason, Err: e.Reset.Err}})
	default:
		// A change after the Reset must not be joined with one before it.
		clear(q.pending)
		q.waiting = append(q.waiting, queued{event: e, first: e.Position})
		q.signal()
	}
}

func (q *queue) full() bool { return len(q.waiting)-q.head >= q.limit }

func (q *queue) replace(e *Event) {
	first := e.Position
	if q.head < len(q.waiting) {
		first = q.waiting[q.head].first
	}
	q.drop(len(q.waiting))
	clear(q.pending)
	q.waiting = append(q.waiting, queued{event: e, first: first})
	q.signal()
}

// drop forgets the first n of waiting, and their memory if that is most of it.
func (q *queue) drop(n int) {
	rest := q.waiting[n:]
	if cap(q.waiting) > 64 && len(rest) < cap(q.waiting)/4 {
		q.waiting = append([]queued(nil), rest...)
	} else {
		clear(q.waiting[copy(q.waiting, rest):])
		q.waiting = q.waiting[:len(rest)]
	}
	q.gone += n
	q.head = 0
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes and returns up to n events; none if there are none. It is not
// open once the queue is closed.
func (q *queue) take(n int) (events []*Event, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.signal() // the next who waits
		return nil, false
	}
	for n > 0 && q.head < len(q.waiting) {
		w := q.waiting[q.head]
		q.waiting[q.head] = queued{}
		if q.pending[w.row] == q.gone+q.head {
			delete(q.pending, w.row)
		}
		events = append(events, w.event)
		q.head++
		n--
	}
	if q.head*2 >= len(q.waiting) {
		q.drop(q.head)
	}
	if len(q.waiting) > q.head {
		q.signal()
	}
	return events, true
}

// reached returns how far one has come who took events in that were just taken
// from the queue: to the newest of them, but not to a change that one which still
// waits stands for, perhaps joined with later ones.
func (q *queue) reached(taken []*Event) Position {
	var at Position
	for _, e := range taken {
		if e.Position.Seq > at.Seq {
			at = e.Position
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head < len(q.waiting) {
		// Events wait in the order of their first changes.
		if first := q.waiting[q.head].first; first.Seq <= at.Seq {
			return Position{Epoch: first.Epoch, Seq: first.Seq - 1}
		}
	}
	return at
}

// peek returns up to n events that wait, without removing them: those before the
// first Reset.
func (q *queue) peek(n int) (events []*Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting[q.head:min(len(q.waiting), q.head+n)] {
		if w.event.Reset != nil {
			break
		}
		events = append(events, w.event)
	}
	return events
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.waiting, q.head, q.pending = nil, 0, nil
	q.signal()
}
