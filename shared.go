package rowsync

import (
	"context"
	"reflect"
	"sync"
)

// shareKey names a query: two with equal keys have one value.
type shareKey struct {
	list   reflect.Type
	clause string
	args   any // see fixArgs
	tree   string
	scope  string
}

// shareable returns what of the options keeps values apart; false if no two
// values are known to be the same.
func (c subscriberConfig) shareable() (scope string, ok bool) {
	switch {
	case c.authorize != nil: // two functions cannot be compared
		return "", false
	case c.scope != nil:
		return c.scope.Name, c.scope.valid() == nil
	}
	return "", true
}

// sharedLives holds the lives that identical queries have in common.
type sharedLives struct {
	mu    sync.Mutex
	byKey map[shareKey]*sharedLive
}

// sharedLive is a live with its users: handles, and callers that wait for the
// first load. It is found by its key while there are any.
type sharedLive struct {
	users  int                // guarded by sharedLives.mu
	giveUp context.CancelFunc // ends the first load
	loaded chan struct{}      // closed when the first load has ended
	// live and err are what came of it, set before.
	live *live
	err  error
}

// open returns a hold on the live of a key. If there is none, it calls start, in
// a goroutine of run, so that a caller whose ctx ends leaves the load to the
// others; run returns false if the Client is closed.
func (ls *sharedLives) open(ctx context.Context, key shareKey,
	start func(context.Context) (*live, error), run func(func()) bool,
) (*handle, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s, loading := ls.join(ctx, key)
	if loading != nil && !run(func() { ls.ended(key, s)(start(loading)) }) {
		ls.ended(key, s)(nil, ErrClosed)
	}
	var err error
	select {
	case <-s.loaded:
		if err = s.err; err == nil {
			err = s.live.sub.mayFollow()
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		ls.leave(key, s)
		return nil, err
	}
	return newHandle(s.live, func() { ls.leave(key, s) }), nil
}

// join makes the caller a user. If nobody else is, it must start the live, with
// the context that is returned.
func (ls *sharedLives) join(ctx context.Context, key shareKey) (s *sharedLive, loading context.Context) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if s = ls.byKey[key]; s == nil {
		s = &sharedLive{loaded: make(chan struct{})}
		loading, s.giveUp = context.WithCancel(context.WithoutCancel(ctx))
		if ls.byKey == nil {
			ls.byKey = map[shareKey]*sharedLive{}
		}
		ls.byKey[key] = s
	}
	s.users++
	return s, loading
}

// ended returns the function that takes what came of the first load. A live that
// nobody waits for any more is closed, and one that failed is not found by those
// who come from now on.
func (ls *sharedLives) ended(key shareKey, s *sharedLive) func(*live, error) {
	return func(l *live, err error) {
		ls.mu.Lock()
		s.live, s.err = l, err
		if err != nil {
			ls.forget(key, s)
		}
		unwanted := s.users == 0
		close(s.loaded)
		ls.mu.Unlock()
		if unwanted && l != nil {
			l.close()
		}
	}
}

// leave takes the caller off the users. The last one ends the live; whoever comes
// from then on makes another.
func (ls *sharedLives) leave(key shareKey, s *sharedLive) {
	ls.mu.Lock()
	s.users--
	isLast := s.users == 0
	if isLast {
		ls.forget(key, s)
	}
	l := s.live // nil: ended will find that it is unwanted
	ls.mu.Unlock()
	if !isLast {
		return
	}
	s.giveUp()
	if l != nil {
		l.close()
	}
}

// forget makes room for another live of the key, ls.mu being held.
func (ls *sharedLives) forget(key shareKey, s *sharedLive) {
	if ls.byKey[key] == s {
		delete(ls.byKey, key)
	}
}
