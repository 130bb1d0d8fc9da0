package rowsync

import "github.com/rowsync/rowsync/internal/route"

// Holdings is what a Client keeps for its subscribers and Lives.
type Holdings struct {
	Subscribers int
	Followers   int // in the index
	Shared      int // values that queries share, or wait for
}

// HoldingsOf counts what a Client keeps.
func HoldingsOf(c *Client) (h Holdings) {
	c.mu.Lock()
	h.Subscribers = len(c.subscribers)
	c.mu.Unlock()
	c.schema.index.Everyone(nil, func(*route.Follower) { h.Followers++ })
	c.shared.mu.Lock()
	h.Shared = len(c.shared.byKey)
	c.shared.mu.Unlock()
	return h
}

// SharedUsers counts the Lives that share a value, and the queries that wait for
// the first load of one.
func SharedUsers(c *Client) (n int) {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	for _, s := range c.shared.byKey {
		n += s.users
	}
	return n
}

// OneValue reports whether two Lives share their value.
func OneValue[T any](x, y *Live[T]) bool { return x.core == y.core }

// FollowedBy returns how many items a Live follows.
func FollowedBy[T any](l *Live[T]) int {
	l.core.sub.mu.Lock()
	defer l.core.sub.mu.Unlock()
	return len(l.core.sub.claims)
}
