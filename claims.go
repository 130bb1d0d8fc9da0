package rowsync

import "github.com/rowsync/rowsync/internal/route"

// holders says for what a Subscriber follows an item: a bit for each of its
// roots, and the one below.
type holders uint64

// loading is the tables that are followed while a value is loaded.
const loading holders = 1

// follow follows an item for a holder. It says whether that is new, and whether
// the item may have changed after position since.
func (s *Subscriber) follow(h holders, it route.Item, since uint64) (isNew, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, false
	}
	had := s.claims[it]
	s.claims[it] = had | h
	return had == 0, s.client.schema.index.Follow(&s.values, it, AnyOp, since)
}

// unfollow ends following an item for a holder.
func (s *Subscriber) unfollow(h holders, it route.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(h, it)
}

// drop is unfollow with s.mu held.
func (s *Subscriber) drop(h holders, it route.Item) {
	had := s.claims[it]
	if had&h == 0 {
		return
	}
	if rest := had &^ h; rest != 0 {
		s.claims[it] = rest
		return
	}
	delete(s.claims, it)
	s.client.schema.index.Unfollow(&s.values, it, AnyOp)
}

// followOnly makes items exactly what the Subscriber follows for a holder.
func (s *Subscriber) followOnly(h holders, items map[route.Item]struct{}) {
	for it := range items {
		s.follow(h, it, 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for it := range s.claims {
		if _, stays := items[it]; !stays {
			s.drop(h, it)
		}
	}
}
