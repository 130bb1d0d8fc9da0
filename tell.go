package rowsync

import (
	"context"
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// tell reports whether an event is told to the Subscriber, after taking out of
// it what it may not see. If that cannot be found out, a Reset is queued.
func (s *Subscriber) tell(ctx context.Context, ev *Event) bool {
	if ev.Reset != nil || !s.cfg.guarded() {
		return true
	}
	seen, some, err := s.seesEvent(ctx, ev)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the function may have said no for just that
	}
	switch {
	case err != nil:
		if ctx.Err() == nil {
			s.client.log.Warn("rowsync: cannot find out whether an event may be seen, so it becomes a reset", "event", ev.String(), "err", err)
		}
		s.reset("the row of an event could not be read to find out whether the subscriber may see it", err)
		return false
	case seen && s.cfg.scope == nil:
		return true
	case seen:
		redact(ev, ev.Op, ev.New) // whether it could be seen before, nobody can know
		return true
	case s.concerns(ev), some && s.followsAll(ev):
		redact(ev, Deleted, nil)
		return true
	}
	return false
}

// seesEvent decides whether the Subscriber may see what an event tells. If its
// table has several models, each must say yes; some says that one of them did.
func (s *Subscriber) seesEvent(ctx context.Context, ev *Event) (all, some bool, err error) {
	models := s.client.schema.modelsOf(ev.Table)
	if len(models) == 0 {
		// A join table's rows are what values need of it, and no more than keys.
		if s.concerns(ev) {
			return true, true, nil
		}
		yes := s.cfg.authorize != nil && s.sees(ctx, nil, reflect.Value{}, ev)
		return yes, yes, nil
	}
	all = true
	for _, m := range models {
		row := reflect.Value{}
		if ev.New != nil {
			found, ok, err := s.rowOf(ctx, m, ev)
			if err != nil {
				return false, false, err
			}
			if row = found.Value; !ok || !found.Exists() && s.cfg.scope != nil {
				all = false
				continue
			}
		}
		if s.sees(ctx, m, row, ev) {
			some = true
		} else {
			all = false
		}
	}
	return all, some, nil
}

// followsAll reports whether a value of the Subscriber's follows the event's
// table as a whole, for rows that may come to be seen: one that may be seen as
// another model's may be such a row.
func (s *Subscriber) followsAll(ev *Event) bool {
	if ev.Label != "" {
		return false
	}
	t := s.client.schema.index.Table(ev.Table)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[route.Item{Table: t, Lookup: route.WholeTable}] != 0
}

// rowOf reads the row that an event is about, as it is now. It is false if the
// event does not tell the key that the model has.
func (s *Subscriber) rowOf(ctx context.Context, m *model.Model, ev *Event) (load.Row, bool, error) {
	t := s.client.schema.index.Table(ev.Table)
	k, ok := t.KeyIn(columnNames(m.Key), ev.New)
	if !ok {
		return load.Row{}, false, nil
	}
	rows, err := s.loader().Rows(ctx, m, load.Wants([]mapper.Key{k}, ev.Position.Seq), nil)
	return rows[k], true, err
}

// modelsOf returns the models of a table that rows are loaded of.
func (s *schema) modelsOf(t *Table) []*model.Model {
	var models []*model.Model
	for _, w := range s.watchers {
		if w.model != nil && w.table.Capture == t && s.plans.Mappers[w.model] != nil && !slices.Contains(models, w.model) {
			models = append(models, w.model)
		}
	}
	return models
}

// concerns reports whether an event may alter a value of the Subscriber's.
func (s *Subscriber) concerns(ev *Event) bool {
	if ev.Label != "" {
		return false // values are told by events without one
	}
	t := s.client.schema.index.Table(ev.Table)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[route.Item{Table: t, Lookup: route.WholeTable}] > 0 {
		return true // what is being loaded may hold the row
	}
	for _, r := range s.roots {
		if r.plan != nil && r.plan.Passes(t) {
			return true
		}
	}
	// A table that is followed as a whole for what may come to be seen is passed
	// over: a row that is held is followed by a key too.
	found := false
	for _, row := range ev.rows() {
		t.Items(row, func(it route.Item) { found = found || s.claims[it] != 0 })
	}
	return found
}

// redact leaves of an event the operation and the row that are given, and of the
// row before the change only the key. What [Sync] needs stays in it.
func redact(e *Event, op Op, now Row) {
	whole := *e
	e.whole = &whole
	e.Op, e.New, e.between = op, now, nil
	before := whole.Old
	if before == nil && now == nil {
		before = whole.New
	}
	if before == nil {
		return
	}
	key := slices.Clone(e.Table.Key)
	for _, w := range whole.watchers() {
		key = append(key, w.key...)
	}
	columns := slices.Concat(e.Table.Key, e.Table.Columns)
	e.Old = make(Row, len(before))
	for i := range before {
		e.Old[i] = Value{Null: true}
		if i < len(columns) && slices.Contains(key, columns[i]) {
			e.Old[i] = before[i]
		}
	}
}

// asTold returns the event as it was before anything was taken out of it.
func asTold(e *Event) *Event {
	if e.whole != nil {
		return e.whole
	}
	return e
}
