package rowsync_test

import (
	"context"
	"errors"
	"sort"
	"sync"
	"testing"

	"github.com/rowsync/rowsync"
)

// holdSynced holds a list of posts by hand: a Subscriber that follows the model
// and everything below, and Sync for each event.
func holdSynced(ctx context.Context, t *testing.T, c *rowsync.Client,
	load func(context.Context) ([]*Post, error), paths []string, want func(*world) any,
) *holding {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	sub := c.NewSubscriber(ctx)
	var (
		mu      sync.Mutex
		value   []*Post
		lastErr error
	)
	reload := func() error {
		posts, err := rowsync.Load(ctx, sub, load, rowsync.With(paths...))
		mu.Lock()
		defer mu.Unlock()
		if lastErr = err; err == nil {
			value = posts
		}
		return err
	}
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	changed, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		for ev, err := range sub.Events(ctx) {
			if err != nil {
				return
			}
			next, err := rowsync.Sync(ctx, sub, value, ev)
			switch {
			case errors.Is(err, rowsync.ErrReset):
				err = reload()
			case err == nil:
				mu.Lock()
				value = next
				mu.Unlock()
			}
			mu.Lock()
			lastErr = err
			mu.Unlock()
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return &holding{
		name: "list synced by hand", changed: changed,
		err: func() error { mu.Lock(); defer mu.Unlock(); return lastErr },
		now: func() string {
			mu.Lock()
			defer mu.Unlock()
			// A list takes rows in at its end; their order is not promised.
			sorted := append([]*Post{}, value...)
			sort.Slice(sorted, func(i, j int) bool { return sorted[i].ID < sorted[j].ID })
			return show(sorted)
		},
		want: func(w *world) string { return show(want(w)) },
	}
}
