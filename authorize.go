package rowsync

import (
	"context"
	"reflect"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Access is a question: may this be seen?
type Access struct {
	// Model is that of the row; nil for an event of a table without one.
	Model *model.Model
	// Row is a pointer to the row's struct, such as *Post, without its
	// associations; nil if there is no such row any more, or no model. It must
	// not be altered: what it refers to is shared.
	Row any
	// Event is the event that may be told; nil where the question is what a
	// value may hold.
	Event *Event
}

// AccessOption is an option of [Client.NewSubscriber], [Query], [Follow] and
// [LoadAll] that narrows what may be seen.
type AccessOption interface {
	SubscriberOption
	LiveOption
}

// Authorize gives a Subscriber or a Live a function that decides which rows it
// may see. A row that it may not see is as good as deleted: at the root of its
// values and in their associations at any depth, in what [Load] and [Follow]
// load, in [Get], and as an event. When the row changes so that the function
// says yes, it comes back.
//
// An error of the function counts as no and is logged as a warning, unless ctx
// has ended. A panic is not caught.
//
// The function is called from the goroutine that calls Sync, Load, Get or takes
// events, or from that of the Live, each time that a row is read for a value; it
// should be quick. It is asked again only when the row changes: if the answer
// can change for another reason, see [Subscriber.Reset]. nil lets nothing be
// seen. Of several, the last counts.
func Authorize(see func(ctx context.Context, a Access) (bool, error)) AccessOption {
	if see == nil {
		see = func(context.Context, Access) (bool, error) { return false, nil }
	}
	return authorizeOption(see)
}

type authorizeOption func(ctx context.Context, a Access) (bool, error)

func (o authorizeOption) subscriber(c *subscriberConfig) { c.authorize = o }
func (o authorizeOption) live(c *liveConfig)             { o.subscriber(&c.subscriberConfig) }

// guarded reports whether the Subscriber may not see every row.
func (c subscriberConfig) guarded() bool { return c.authorize != nil || c.scope != nil }

// sees asks whether the Subscriber may see a row, which is invalid if there is
// none, and ev be told, if it is not nil.
func (s *Subscriber) sees(ctx context.Context, m *model.Model, row reflect.Value, ev *Event) bool {
	return s.cfg.sees(ctx, s.client, m, row, ev)
}

func (c subscriberConfig) sees(ctx context.Context, client *Client, m *model.Model, row reflect.Value, ev *Event) bool {
	if c.authorize == nil {
		return true
	}
	a := Access{Model: m}
	if ev != nil {
		told := *ev
		a.Event = &told
	}
	if row.IsValid() {
		bare := reflect.New(m.Type)
		client.schema.plans.Mappers[m].CopyColumns(bare.Elem(), row)
		a.Row = bare.Interface()
	}
	yes, err := c.authorize(ctx, a)
	if err != nil && ctx.Err() == nil {
		client.log.Warn("rowsync: the authorization function failed, which counts as no", "of", a.of(), "err", err)
	}
	return yes && err == nil
}

// of names what the question is about.
func (a Access) of() string {
	if a.Model != nil {
		return a.Model.String()
	}
	return a.Event.Table.String()
}

// see returns what decides which rows a value may hold; nil if all of them.
func (c subscriberConfig) see(client *Client) graph.See {
	if c.authorize == nil {
		return nil
	}
	return func(ctx context.Context, m *model.Model, row reflect.Value) bool {
		return c.sees(ctx, client, m, row, nil)
	}
}

// prune takes out of a loaded value of a plan what may not be seen, and returns
// the keys of the rows at its root that it took out. What is left of a single
// value is nil, or zero.
func (c subscriberConfig) prune(ctx context.Context, client *Client, plan *graph.Node, value reflect.Value) (reflect.Value, []mapper.Key, error) {
	if c.authorize == nil {
		return value, nil, nil
	}
	v := view{value, plan.Tree.Model, plan.Tree.Model.Type}
	rows := v.rows()
	kept, hidden, err := plan.Prune(ctx, c.see(client), rows)
	switch {
	case err != nil:
		return value, nil, err
	case graph.Same(kept, rows):
		return value, nil, nil
	case len(kept) == 0 && !v.list():
		return reflect.Zero(value.Type()), hidden, nil
	}
	return v.with(kept), hidden, nil
}

// hiddenOf returns the rows of a model that belong to the root of a value and
// are hidden from the Subscriber; nil if it may see every row.
func (s *Subscriber) hiddenOf(m *model.Model) *graph.Hidden {
	if !s.cfg.guarded() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hidden[m] == nil {
		s.hidden[m] = &graph.Hidden{}
	}
	return s.hidden[m]
}

// Reset queues a Reset for this Subscriber alone: for when what it may see has
// changed otherwise than with the rows, such as by a new role of its user. What
// was read before is used for its values no more.
func (s *Subscriber) Reset(reason string) { s.reset(reason, nil) }

func (s *Subscriber) reset(reason string, err error) {
	at := s.client.clock.Advance(1) // what was read before is of a lower position
	s.queue.pushReset(&Event{
		Position: Position{Epoch: s.client.epoch.Load(), Seq: at},
		Reset:    &Reset{Reason: reason, Err: err}, client: s.client,
	})
}

// Reset makes the Live load its value anew, as [Subscriber.Reset] does for a
// Subscriber. Lives that share the value share that too.
func (l *Live[T]) Reset(reason string) { l.core.sub.Reset(reason) }
