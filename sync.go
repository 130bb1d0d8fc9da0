package rowsync

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Sync returns value as it is after the event: the row that the event is about
// is exchanged, inserted or removed at every place of the value where the
// database now has it, or has it no more. The value given is never altered;
// what did not change is shared with the value returned. Both must be treated
// as immutable from then on: rows in them may be shared with other values.
//
// A value is a struct of a watched model, a pointer to one, a slice of either,
// or a nil pointer to one; anything else is returned unchanged. Its
// associations are those that sub subscribed to for its model, see [With]; they
// must be loaded in the value. A row that exists and that sub was told to follow
// by [Subscriber.SubscribeTo], by its key or with all of its model, is appended
// to a list that lacks it. A single value whose row is gone stays as it is.
//
// A row that leaves the value is followed no more, unless sub subscribed to
// several values of the model. So give Sync whole values as they were loaded or
// subscribed, not parts of one.
//
// For an event that is a Reset, value comes back with [ErrReset]. If rows cannot
// be loaded, value comes back unchanged with the error; Sync may be called
// again with the same event.
//
// Sync may be called from any goroutine, for values of one Subscriber from one
// at a time.
func Sync[T any](ctx context.Context, sub *Subscriber, value T, ev Event) (T, error) {
	if ev.Reset != nil {
		return value, ErrReset
	}
	v, err := viewOf(reflect.ValueOf(&value).Elem())
	if err != nil {
		return value, nil //nolint:nilerr // a value that holds no rows is nobody's fault
	}
	if err := sub.open(); err != nil {
		return value, err
	}
	r, ok := sub.rootOf(v.elem)
	if !ok {
		return value, nil
	}
	began := time.Now()
	rows, err := sub.reconcile(ctx, r, v, []*Event{&ev})
	sub.client.traceSync(ctx, SyncTrace{Events: []*Event{&ev}, Took: time.Since(began), Err: err})
	if err != nil {
		return value, fmt.Errorf("sync: %w", err)
	}
	if held := v.rows(); graph.Same(rows, held) {
		return value, nil
	}
	reflect.ValueOf(&value).Elem().Set(v.with(rows))
	return value, nil
}

// rootOf returns what the Subscriber follows of a type, or false if the type is
// no watched model.
func (s *Subscriber) rootOf(t reflect.Type) (*root, bool) {
	r, err := s.root(t, subscribeConfig{}, func(*root) {})
	return r, err == nil
}

// reconcile brings the rows of a view up to date with events, none of them a Reset.
func (s *Subscriber) reconcile(ctx context.Context, r *root, v view, events []*Event) ([]reflect.Value, error) {
	h := s.host(r)
	whole := route.Item{Table: r.plan.Table, Lookup: route.WholeTable}
	if v.list() || v.value.IsZero() {
		m := r.plan.Tree.Model
		told := s.isTold(whole, m)
		h.Admit = func(k mapper.Key) bool { return told || s.isTold(r.plan.Item(k), m) }
	}
	rows, err := r.plan.Reconcile(ctx, h, v.rows(), s.client.changesOf(events))
	if err != nil {
		return nil, err
	}
	s.reach(events)
	if !v.list() && len(rows) > 1 {
		rows = rows[:1]
	}
	return rows, nil
}

// host returns a Host for values of a root.
func (s *Subscriber) host(r *root) *graph.Host {
	return &graph.Host{
		Loader: s.client.schema.loader,
		Clock:  s.client.clock,
		Need:   s.reached.Load(),
		Saw:    s.reachAt,
		Follow: func(it route.Item, since uint64) (bool, bool) {
			return s.follow(r.holder, it, since)
		},
		Unfollow: func(it route.Item) {
			if r.single() {
				s.unfollow(r.holder, it)
			}
		},
		Admit: func(mapper.Key) bool { return false },
	}
}

// changesOf returns the changes of events.
func (c *Client) changesOf(events []*Event) []graph.Change {
	out := make([]graph.Change, 0, len(events))
	for _, e := range events {
		if t := c.schema.index.Table(e.Table); t != nil {
			out = append(out, graph.Change{Table: t, Appeared: e.appeared || e.Op != Updated, Rows: e.rows(), Pos: e.Position.Seq})
		}
	}
	return out
}

func (c *Client) traceSync(ctx context.Context, t SyncTrace) {
	if tracer, ok := c.opts.Tracer.(SyncTracer); ok {
		tracer.TraceSync(ctx, t)
	}
}
