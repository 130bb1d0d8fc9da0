package rowsync

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Load loads a value for sub to hold, and subscribes to it as
// [Subscriber.Subscribe] does, so that nothing is missed between the two: while
// load runs, sub follows every table that the value depends on, and after it
// only the rows that were loaded. What changed meanwhile comes as events, which
// [Sync] takes in without harm even if the value shows it already.
//
// A Subscriber holds one value of a model by Load: loading again, after a Reset
// for example, takes the place of what was loaded before. For several values of
// one model, use a Subscriber for each.
//
// An error of load is returned as it is, and sub then follows what it did before.
func Load[T any](ctx context.Context, sub *Subscriber, load func(ctx context.Context) (T, error), opts ...SubscribeOption) (T, error) {
	var none T
	if sub == nil {
		return none, errNoSubscriber
	}
	if load == nil {
		return none, errors.New("load: no load function")
	}
	v, err := sub.client.viewOf(reflect.ValueOf(&none).Elem())
	if err != nil {
		return none, fmt.Errorf("load: %w", err)
	}
	// What is held now is held as it is until the load has succeeded.
	known, err := sub.root(v.elem, subscribeConfig{}, func(*root) {})
	if err != nil {
		return none, fmt.Errorf("load: %w", err)
	}
	cfg, next := subscribeConfigOf(opts), *known
	next.load()
	if err := next.grow(sub.client, v.model, cfg); err != nil {
		return none, fmt.Errorf("load: %w", err)
	}
	value := none
	v.value = reflect.ValueOf(&value).Elem()
	seen, err := sub.whileFollowing(ctx, &next, func() (reflect.Value, error) {
		var err error
		value, err = load(ctx)
		return v.value, err
	})
	if err != nil {
		return none, err
	}
	v.value.Set(seen)
	r, err := sub.root(v.elem, cfg, (*root).load)
	if err != nil {
		return none, fmt.Errorf("load: %w", err)
	}
	if err := sub.hold(r, v.rows()); err != nil {
		return none, fmt.Errorf("load: %w", err)
	}
	return value, sub.mayFollow()
}

// whileFollowing calls load while the Subscriber follows every table that
// values of the root depend on, and then follows what was loaded, and more. It
// returns what the Subscriber may see of what was loaded.
func (s *Subscriber) whileFollowing(ctx context.Context, r *root, load func() (reflect.Value, error), more ...route.Item) (reflect.Value, error) {
	var none reflect.Value
	if err := s.cfg.valid(); err != nil {
		return none, err
	}
	tables := map[route.Item]struct{}{}
	r.plan.Tables(func(t *route.Table) { tables[route.Item{Table: t, Lookup: route.WholeTable}] = struct{}{} })
	for it := range tables {
		s.beginLoad(it)
	}
	defer func() {
		for it := range tables {
			s.endLoad(it)
		}
	}()
	s.reachNow()
	value, err := load()
	if err != nil {
		return none, err
	}
	value, hidden, err := s.cfg.prune(ctx, s.client, r.plan, value)
	if err != nil {
		return none, err
	}
	items, err := itemsOf(r.plan, view{value, r.plan.Tree.Model, r.plan.Tree.Model.Type}.rows())
	if err != nil {
		return none, err
	}
	for _, k := range hidden {
		items[r.plan.Item(k)] = struct{}{}
	}
	for _, it := range more {
		items[it] = struct{}{}
	}
	s.holdHidden(r, hidden)
	if r.single() {
		s.followOnly(r.holder, items)
		return value, nil
	}
	for it := range items {
		s.follow(r.holder, it, 0)
	}
	return value, nil
}

// holdHidden notes which rows at the root of a value that was loaded are hidden.
func (s *Subscriber) holdHidden(r *root, keys []mapper.Key) {
	hidden := s.hiddenOf(r.plan.Tree.Model)
	if r.single() {
		hidden.Replace(keys)
	} else {
		hidden.Add(keys...)
	}
}

// beginLoad follows a table for one more load of the Subscriber.
func (s *Subscriber) beginLoad(it route.Item) {
	s.mu.Lock()
	s.loads[it]++
	s.mu.Unlock()
	s.follow(loading, it, 0)
}

// endLoad ends following a table if no other load needs it.
func (s *Subscriber) endLoad(it route.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loads[it]--; s.loads[it] == 0 {
		delete(s.loads, it)
		s.drop(loading, it)
	}
}
