package rowsync

import (
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/route"
)

// Subscribe follows the rows of a value, which is a struct of a watched model,
// a pointer to one, or a slice or map of either: the updates and deletions of
// each row. With the option [With], it follows everything below each row that
// the paths lead to, also what may come to be there later; with [Inserts] also
// the inserts of the model. It returns what it followed; what was followed
// before is followed once still.
//
// What was committed between loading the value and this call is missed; [Load]
// has no such gap. Rows without associations that a path leads on to, such as
// those of an empty list, are no mistake: what comes to be there is followed.
func (s *Subscriber) Subscribe(value any, opts ...SubscribeOption) ([]Subscription, error) {
	v, err := s.client.viewOf(reflect.ValueOf(value))
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	cfg := subscribeConfigOf(opts)
	r, err := s.root(v.elem, cfg, func(r *root) { r.subscribed++ })
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	rows := v.rows()
	items, err := itemsOf(r.plan, rows)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if err := s.hold(r, rows); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	s.reachNow()
	out := make([]Subscription, 0, len(items)+1)
	for it := range items {
		s.follow(r.holder, it, 0)
		out = append(out, describe(it, AnyOp))
	}
	if cfg.inserts {
		inserts := Target{typ: v.elem, ops: Inserted}
		if err := s.SubscribeTo(inserts); err != nil {
			return nil, err
		}
		out = append(out, describe(route.Item{Table: r.plan.Table, Lookup: route.WholeTable}, Inserted))
	}
	return out, s.mayFollow()
}

type subscribeOption func(c *subscribeConfig)

func (o subscribeOption) subscribe(c *subscribeConfig) { o(c) }

// Inserts makes [Subscriber.Subscribe] follow the inserts of the value's model
// too, so that [Sync] adds new rows to a list. It is what SubscribeTo with
// [On] and Inserted follows, and [Subscriber.UnsubscribeFrom] ends it.
func Inserts() SubscribeOption {
	return subscribeOption(func(c *subscribeConfig) { c.inserts = true })
}

// Unsubscribe ends following the rows of a value, and everything below them that
// no other value needs which the Subscriber holds by Subscribe, Load or Sync.
// The value may be part of what was subscribed. Rows that are not followed are
// passed over. Events that wait in the queue still come; what SubscribeTo
// follows stays.
func (s *Subscriber) Unsubscribe(value any) error {
	v, err := s.client.viewOf(reflect.ValueOf(value))
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	s.mu.Lock()
	r := s.roots[v.model]
	s.mu.Unlock()
	if r == nil || r.plan == nil {
		return nil
	}
	rest, gone, err := s.part(r, v.rows())
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	still, err := itemsOf(r.plan, rest)
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	if len(rest) == 0 && !r.shared {
		s.followOnly(r.holder, nil)
		s.hiddenOf(v.model).Replace(nil)
		return nil
	}
	ended, err := itemsOf(r.plan, gone)
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	for it := range ended {
		if _, needed := still[it]; !needed {
			s.unfollow(r.holder, it)
		}
	}
	return nil
}

// itemsOf returns everything to follow for rows of a plan.
func itemsOf(plan *graph.Node, rows []reflect.Value) (map[route.Item]struct{}, error) {
	items := map[route.Item]struct{}{}
	for _, row := range rows {
		if err := plan.Items(row, func(it route.Item) { items[it] = struct{}{} }); err != nil {
			return nil, err
		}
	}
	return items, nil
}
