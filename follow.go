package rowsync

import (
	"fmt"
	"maps"

	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// told is what a Subscriber follows through targets: of one label, or of all
// the watchers that have none.
type told struct {
	route.Follower
	watcher *watched // nil without a label
	// items are the operations that are followed of each item, for each way in
	// which targets named it: ending one leaves the others.
	items map[route.Item]map[way]Op
}

// way is what targets that come to the same rows can differ in.
type way struct {
	model *model.Model
	where bool // by Where, not by Key
}

// SubscribeTo follows targets: from now on the Subscriber gets each change that
// one of them means as an event of its own, in the order of the commits, or a
// [Reset] in place of changes that may have been missed. To follow a target
// twice is to follow it once. Watchers without a label tell a change once
// together, and one with a label tells it apart, with that label.
//
// If there is a mistake in any of the targets, none of them is followed and all
// mistakes come back.
func (s *Subscriber) SubscribeTo(targets ...Target) error {
	aims, err := s.client.aims(targets)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if err := s.mayFollow(); err != nil {
		return err
	}
	for _, a := range aims {
		s.followAim(a)
		s.client.logSubscription("rowsync: subscribed", a)
	}
	return s.mayFollow()
}

// UnsubscribeFrom ends what [Subscriber.SubscribeTo] began with the same targets,
// for the operations that they name. Events that wait in the queue still come.
func (s *Subscriber) UnsubscribeFrom(targets ...Target) error {
	aims, err := s.client.aims(targets)
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	for _, a := range aims {
		s.unfollowAim(a)
		s.client.logSubscription("rowsync: unsubscribed", a)
	}
	return nil
}

func (s *Subscriber) followAim(a aim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	t := s.told[a.label]
	if t == nil {
		t = &told{watcher: a.label, items: map[route.Item]map[way]Op{}}
		t.Owner, t.Push = s, s.pusher(a.label)
		s.told[a.label] = t
	}
	if t.items[a.item] == nil {
		t.items[a.item] = map[way]Op{}
	}
	t.items[a.item][a.way] |= a.ops
	s.setApart() // first, or two changes might be joined before it
	s.client.schema.index.Follow(&t.Follower, a.item, a.ops, 0)
}

func (s *Subscriber) unfollowAim(a aim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told[a.label]
	if t == nil {
		return
	}
	ways := t.items[a.item]
	if ways == nil {
		return
	}
	if ways[a.way] &^= a.ops; ways[a.way] == 0 {
		delete(ways, a.way)
	}
	ended := a.ops
	for _, still := range ways {
		ended &^= still
	}
	if len(ways) == 0 {
		delete(t.items, a.item)
	}
	s.client.schema.index.Unfollow(&t.Follower, a.item, ended)
	s.setApart()
}

// setApart notes the tables whose changes are not joined, s.mu being held.
func (s *Subscriber) setApart() {
	tables := map[*Table]bool{}
	if t := s.told[nil]; t != nil {
		for it := range maps.Keys(t.items) {
			tables[it.Table.Capture] = true
		}
	}
	s.apart.Store(&tables)
}

// pusher returns what the Index calls, locked, with the changes of a label, or
// with "" those of all watchers without one.
func (s *Subscriber) pusher(w *watched) func(t *route.Table, c *Change, pos uint64) {
	if w == nil {
		return s.push
	}
	return func(_ *route.Table, c *Change, pos uint64) {
		if w.tells(c) {
			s.queue.push(s.event(c, pos, w), rowID{})
		}
	}
}

// isTold reports whether the Subscriber follows an item through a target
// of a model.
func (s *Subscriber) isTold(it route.Item, m *model.Model) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told[nil]
	if t == nil {
		return false
	}
	for w := range t.items[it] {
		if w.model == m {
			return true
		}
	}
	return false
}

// toldModel returns the model for which SubscribeTo follows rows of a table, or nil.
func (s *Subscriber) toldModel(t *Table) *model.Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told[nil]
	if told == nil {
		return nil
	}
	var found *model.Model
	for it, ways := range told.items {
		for w := range ways {
			if it.Table.Capture == t && w.model != nil && (found == nil || w.model.Type.String() < found.Type.String()) {
				found = w.model
			}
		}
	}
	return found
}
