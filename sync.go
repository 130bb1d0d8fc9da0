package rowsync

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Sync returns value as it is after the event: the row that the event is about
// is exchanged, inserted or removed at every place of the value where the
// database now has it, or has it no more. The value given is never altered;
// what did not change is shared with the value returned. Both must be treated
// as immutable from then on: rows in them may be shared with other values.
//
// A value is a struct of a watched model, a pointer to one, which may be nil, a
// slice of either, or a map of either by primary key; anything else is returned
// unchanged. Its associations are those that sub subscribed to for its model,
// see [With]; they must be loaded in the value. A row that exists and that sub
// was told to follow by [Subscriber.SubscribeTo], by its key or with all of its
// model, is added to a list or map that lacks it, and takes the place of a nil;
// a nil of type any becomes a pointer to it. A single value whose row is gone
// stays as it is, and takes the row in again if one with its key is inserted.
//
// An event of sub's own write is passed over, see [Subscriber.ShouldUpdate] and
// [Force]. With the options [With] and [WithModel] the value is held with further
// associations from then on: those of rows that are in it already are read now,
// and rows that arrive bring theirs. Other values of the model that sub holds are
// not filled: load those again.
//
// What leaves the value is followed no more, unless another value of the model
// needs it. So give each event to all values that sub holds, and to whole values
// as they were loaded or subscribed, not to parts of one.
//
// For an event that is a Reset, value comes back with [ErrReset]. If rows cannot
// be loaded, value comes back unchanged with the error; Sync may be called
// again with the same event.
//
// Sync may be called from any goroutine, for values of one Subscriber from one
// at a time.
func Sync[T any](ctx context.Context, sub *Subscriber, value T, ev Event, opts ...SyncOption) (T, error) {
	if ev.Reset != nil {
		return value, ErrReset
	}
	if sub == nil {
		return value, errNoSubscriber
	}
	held := reflect.ValueOf(&value).Elem()
	v, err := sub.viewFor(held, &ev)
	if err != nil {
		return value, nil //nolint:nilerr // a value that holds no rows is nobody's fault
	}
	cfg := syncConfigOf(opts)
	if err := sub.open(); err != nil {
		return value, err
	}
	if !cfg.force && !sub.ShouldUpdate(ev) {
		return value, nil
	}
	sub.mayHaveWritten()
	began := time.Now()
	next, err := sub.sync(ctx, v, []*Event{&ev}, cfg)
	sub.client.traceSync(ctx, SyncTrace{Events: []*Event{&ev}, Took: time.Since(began), Err: err})
	if err != nil {
		return value, fmt.Errorf("sync: %w", err)
	}
	if next.IsValid() {
		held.Set(next)
	}
	return value, nil
}

// viewFor is viewOf for a value that an event comes to: a nil of type any is
// then a nil pointer of the model that the event is followed for.
func (s *Subscriber) viewFor(v reflect.Value, ev *Event) (view, error) {
	if v.Kind() == reflect.Interface && v.IsNil() && ev.Table != nil {
		if m := s.toldModel(ev.Table); m != nil && reflect.PointerTo(m.Type).AssignableTo(v.Type()) {
			return s.client.viewOf(reflect.Zero(reflect.PointerTo(m.Type)))
		}
	}
	return s.client.viewOf(v)
}

// sync returns the value that takes the place of a view; none if it stays.
func (s *Subscriber) sync(ctx context.Context, v view, events []*Event, cfg syncConfig) (reflect.Value, error) {
	before, watched := s.rootOf(v.elem)
	if !watched {
		return reflect.Value{}, nil
	}
	r := before
	if len(cfg.paths)+len(cfg.each) > 0 {
		wider := *before
		if err := wider.grow(s.client, v.model, cfg.subscribeConfig); err != nil {
			return reflect.Value{}, err
		}
		r = &wider
	}
	h := s.host(r)
	var left []route.Item
	h.Unfollow = func(it route.Item) { left = append(left, it) }
	h.Ahead = func() []graph.Change { return s.client.changesOf(s.queue.peek(burst)) }
	h.Fill = r.plan.Added(before.plan)
	h.Single = !v.list()
	if v.list() || v.value.IsZero() {
		h.Admit = h.Hidden.Has // what was hidden comes back
		if !cfg.heldOnly {
			h.Admit = s.admits(r)
		}
	}
	held := v.rows()
	rows, err := r.plan.Reconcile(ctx, h, held, s.client.changesOf(events))
	if err != nil {
		return reflect.Value{}, err
	}
	s.reach(events)
	if r != before {
		// Also if nothing came of it yet: rows that arrive later bring theirs.
		if _, err := s.root(v.elem, cfg.subscribeConfig, func(*root) {}); err != nil {
			return reflect.Value{}, err
		}
	}
	if !v.list() && len(rows) > 1 {
		rows = rows[:1]
	}
	if graph.Same(rows, held) || h.Single && len(rows) == 0 {
		return reflect.Value{}, nil
	}
	if err := s.keep(r, held, rows); err != nil {
		return reflect.Value{}, err
	}
	return v.with(rows), s.leave(r, left, len(rows))
}

// admits says which rows of a root's model, if they exist, belong into a list:
// those that SubscribeTo follows, each alone or with all of the model, and those
// that were hidden.
func (s *Subscriber) admits(r *root) func(mapper.Key) bool {
	m := r.plan.Tree.Model
	all := s.isTold(route.Item{Table: r.plan.Table, Lookup: route.WholeTable}, m)
	hidden := s.hiddenOf(m)
	return func(k mapper.Key) bool { return all || hidden.Has(k) || s.isTold(r.plan.Item(k), m) }
}

// rootOf returns what the Subscriber follows of a type, or false if the type is
// no watched model.
func (s *Subscriber) rootOf(t reflect.Type) (*root, bool) {
	r, err := s.root(t, subscribeConfig{}, func(*root) {})
	return r, err == nil
}

// loader returns what reads rows for the Subscriber.
func (s *Subscriber) loader() *load.Loader { return s.reader }

// host returns a Host for values of a root.
func (s *Subscriber) host(r *root) *graph.Host {
	return &graph.Host{
		Loader: s.loader(),
		Clock:  s.client.clock,
		Need:   s.reached.Load(),
		Saw:    s.reachAt,
		Follow: func(it route.Item, since uint64) (bool, bool) {
			return s.follow(r.holder, it, since)
		},
		Unfollow: func(it route.Item) {
			if !r.shared {
				s.unfollow(r.holder, it)
			}
		},
		See:    s.cfg.see(s.client),
		Hidden: s.hiddenOf(r.plan.Tree.Model),
		Admit:  func(mapper.Key) bool { return false },
	}
}

// changesOf returns the changes of events.
func (c *Client) changesOf(events []*Event) []graph.Change {
	out := make([]graph.Change, 0, len(events))
	for _, e := range events {
		e = asTold(e)
		if t := c.schema.index.Table(e.Table); t != nil {
			out = append(out, graph.Change{Table: t, Appeared: e.appeared || e.Op != Updated, Rows: e.rows(), New: e.New, Pos: e.Position.Seq})
		}
	}
	return out
}

func (c *Client) traceSync(ctx context.Context, t SyncTrace) {
	if tracer, ok := c.opts.Tracer.(SyncTracer); ok {
		tracer.TraceSync(ctx, t)
	}
}
