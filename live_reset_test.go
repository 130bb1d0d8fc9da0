package rowsync_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// openScripted opens a Client that hears only of what the source is made to
// tell, on a fresh world.
func openScripted(t *testing.T, source rowsync.Source, opts *rowsync.Options) (*rowsync.Client, *database) {
	t.Helper()
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL))
	opts.Source = source
	client, err := rowsync.Open(t.Context(), db, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, &database{db, t}
}

// reset tells that changes may have been missed.
func (s *scripted) reset(reason string) {
	<-s.ready
	s.sink.Reset(rowsync.Reset{Reason: reason})
}

// TestLiveResetSpread: after a Reset no more than Options.Reloads load at once,
// and in the end all have.
func TestLiveResetSpread(t *testing.T) {
	const n, most = 200, 3
	source := newScripted()
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Reloads: most})
	db.exec(fmt.Sprintf("insert into posts (title) select 'old' from generate_series(1, %d)", n))
	var running, peak, loaded atomic.Int64
	turn := make(chan struct{})
	counts := false
	lives := make([]*rowsync.Live[[]*Post], n)
	for i := range lives {
		lives[i] = follow(t, client, func(ctx context.Context) ([]*Post, error) {
			if counts {
				now := running.Add(1)
				for at := peak.Load(); at < now && !peak.CompareAndSwap(at, now); at = peak.Load() {
				}
				<-turn
				defer loaded.Add(1)
				defer running.Add(-1)
			}
			return rowsync.LoadAll[Post](ctx, client, rowsync.Select{Where: "id = $1", Args: []any{i + 1}})
		})
	}
	db.exec("update posts set title = 'new'")
	counts = true // seen by the loads after the Reset
	source.reset("a test")
	for i := range n {
		waitUntil(t, "as many load as may", func() bool { return running.Load() >= min(most, int64(n-i)) })
		turn <- struct{}{}
		waitUntil(t, "one has loaded", func() bool { return loaded.Load() > int64(i) })
	}
	for _, live := range lives {
		await(t, live, func(posts []*Post, err error) bool { return posts[0].Title == "new" && err == nil })
	}
	if peak.Load() != most {
		t.Errorf("%d loads ran at once, want %d", peak.Load(), most)
	}
}

// TestLiveCapturedNoMore: when capture ends for good, the Live shows what it then
// loads, and that it will follow no further.
func TestLiveCapturedNoMore(t *testing.T) {
	source := &endingSource{end: make(chan error)}
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}})
	live := query[Post](t, client, rowsync.Select{})
	db.exec("insert into posts (title) values ('one')")
	broken := fmt.Errorf("the cable is cut")
	source.end <- broken
	<-client.Done()
	await(t, live, func(posts []*Post, err error) bool { return len(posts) == 1 && err != nil })
	wantAll(t, live.Err(), rowsync.ErrEnded.Error(), broken.Error())
	if _, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{}); err == nil {
		t.Error("a query that would share the value gets it without an error")
	} else {
		wantAll(t, err, broken.Error())
	}
}
