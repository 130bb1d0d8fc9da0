package rowsync

import (
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/route"
)

// Subscribe follows the rows of a value, which is a struct of a watched model,
// a pointer to one, or a slice of either: the updates and deletions of each
// row. With the option [With], it follows everything below each row that the
// paths lead to, also what may come to be there later. It returns what it
// followed; what was followed before is followed once still.
//
// What was committed between loading the value and this call is missed; [Load]
// has no such gap.
func (s *Subscriber) Subscribe(value any, opts ...SubscribeOption) ([]Subscription, error) {
	v, err := viewOf(reflect.ValueOf(value))
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	r, err := s.root(v.elem, subscribeConfigOf(opts), func(r *root) { r.subscribed++ })
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	items, err := itemsOf(r.plan, v.rows())
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	s.reachNow()
	out := make([]Subscription, 0, len(items))
	for it := range items {
		s.follow(r.holder, it, 0)
		out = append(out, describe(it))
	}
	return out, s.mayFollow()
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
