package rowsync

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// Subscribed reports whether the Subscriber hears of changes to what: a
// [Target], with each of its operations, or else a row of a watched model or a
// list or map of rows, each of them. A row is followed in its own right, by what
// it refers to as part of a value, or with all of its table; what a Live of the
// program follows is not the Subscriber's.
func (s *Subscriber) Subscribed(what any) (bool, error) {
	asked, err := s.client.asked(what)
	if err != nil {
		return false, fmt.Errorf("subscribed: %w", err)
	}
	for _, a := range asked {
		if !slices.Contains(a.followers(s.client.schema.index), s) {
			return false, nil
		}
	}
	return len(asked) > 0, nil
}

// Followed is a Subscriber, or a Live, that hears of changes to something.
type Followed struct {
	// Subscriber is nil where a Live follows: its Subscriber is its own.
	Subscriber *Subscriber
	// With names the associations that the Subscriber's values of the row's
	// model are held with; nil for a Target, and for a row that is followed in
	// another way.
	With []string
}

// Subscriptions returns who hears of changes to what, which is as for
// [Subscriber.Subscribed]; of a list or map, those who hear of any of its rows.
// Each Subscriber, and each value that a Live maintains, is there once, in no
// order.
func (c *Client) Subscriptions(what any) ([]Followed, error) {
	asked, err := c.asked(what)
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	var out []Followed
	seen := map[*Subscriber]bool{}
	for _, a := range asked {
		for _, f := range a.followers(c.schema.index) {
			if !seen[f] {
				seen[f] = true
				followed := Followed{Subscriber: f, With: f.pathsOf(a.model)}
				if f.cfg.ofLive {
					followed.Subscriber = nil
				}
				out = append(out, followed)
			}
		}
	}
	return out, nil
}

// pathsOf returns the associations of values of a model; nil if there are none.
func (s *Subscriber) pathsOf(m *model.Model) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roots[m]
	if r == nil || m == nil {
		return nil
	}
	return slices.Clone(r.paths)
}

// question is one thing of which it is asked who follows it: it is followed if
// one of its items is.
type question struct {
	items []route.Item
	model *model.Model // nil for a target
	aim   *aim
}

func (c *Client) asked(what any) ([]question, error) {
	if t, ok := what.(Target); ok {
		a, err := c.aim(t)
		if err != nil {
			return nil, err
		}
		return []question{{items: []route.Item{a.item}, aim: &a}}, nil
	}
	v, err := c.viewOf(reflect.ValueOf(what))
	if err != nil {
		return nil, err
	}
	tree, err := v.model.Tree()
	if err != nil {
		return nil, err
	}
	plan, err := c.schema.plans.Bind(tree)
	if err != nil {
		return nil, err
	}
	var out []question
	for _, row := range v.rows() {
		q := question{model: v.model}
		for n := range c.schema.index.Lookups(plan.Table) {
			columns := columnsOf(v.model, plan.Table.LookupColumns(n))
			if columns == nil {
				continue // the struct has no field for one of them
			}
			k, ok, err := plan.Mapper.KeyOf(row, columns)
			if err != nil {
				return nil, err
			}
			if ok {
				q.items = append(q.items, route.Item{Table: plan.Table, Lookup: n, Key: k})
			}
		}
		out = append(out, q)
	}
	return out, nil
}

// columnsOf returns columns of a model by name; nil if it lacks one.
func columnsOf(m *model.Model, names []string) []*model.Column {
	out := make([]*model.Column, len(names))
	for i, name := range names {
		if out[i] = m.Column(name); out[i] == nil {
			return nil
		}
	}
	return out
}

// followers returns who follows what is asked for.
func (q question) followers(x *route.Index) []*Subscriber {
	var out []*Subscriber
	ops := Updated | Deleted
	if q.aim != nil {
		ops = q.aim.ops
	}
	for _, it := range q.items {
		for _, f := range x.Followers(it, ops, q.aim == nil) {
			s, ok := f.Owner.(*Subscriber)
			if ok && (q.aim == nil || s.tells(*q.aim)) {
				out = append(out, s)
			}
		}
	}
	return out
}

// tells reports whether the Subscriber follows a target with all its operations.
func (s *Subscriber) tells(a aim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told[a.label]
	if t == nil {
		return false
	}
	var ops Op
	for w, o := range t.items[a.item] {
		if w == a.way {
			ops |= o
		}
	}
	return ops&a.ops == a.ops
}
