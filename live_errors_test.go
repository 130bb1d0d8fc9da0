package rowsync_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// TestLiveSameErrorOnce: a reader is told an error once, however often the Live
// tries and fails in the same way, then another one, and then that it is over.
func TestLiveSameErrorOnce(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	var (
		down  atomic.Pointer[error]
		tries atomic.Int64
	)
	live := follow(t, client, func(ctx context.Context) ([]*Post, error) {
		if err := down.Load(); err != nil {
			tries.Add(1)
			return nil, *err
		}
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
	})
	var told []string
	var reader sync.WaitGroup
	reader.Go(func() {
		for posts, err := range live.Changes(t.Context()) {
			text := "up"
			if err != nil {
				text = err.Error()
			}
			if told = append(told, text); len(posts) == 2 {
				return
			}
		}
	})
	for _, reason := range []string{"down", "still down"} {
		err := errors.New(reason)
		down.Store(&err)
		if reason == "down" {
			db.exec("insert into posts (title) values ('two')")
		}
		before := tries.Load()
		waitUntil(t, "it has tried again", func() bool { return tries.Load() >= before+2 })
		waitUntil(t, "it says why", func() bool { return live.Err() != nil && live.Err().Error() == reason })
	}
	down.Store(nil)
	reader.Wait()
	want(t, told, []string{"up", "down", "still down", "up"})
}

// TestLiveFirstLoadPanics: a caller that outlives a panic of its load function
// has nothing left over.
func TestLiveFirstLoadPanics(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	func() {
		defer func() { _ = recover() }()
		live, err := rowsync.Follow(t.Context(), client, func(context.Context) ([]*Post, error) { panic("oh") })
		t.Errorf("got %v, %v", live, err)
	}()
	if h := rowsync.HoldingsOf(client); h != (rowsync.Holdings{}) {
		t.Errorf("left behind: %+v", h)
	}
}

// TestLiveQueryBacksOff: changes that come while a query fails do not make it try
// more often than its back-off allows.
func TestLiveQueryBacksOff(t *testing.T) {
	source, tracer := newScripted(), &stepTracer{}
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Tracer: tracer})
	db.exec("insert into people (name) values ('ada'); insert into posts (title) values ('one')")
	live := query[Post](t, client, rowsync.Select{Where: "1 / (select count(*) from people) > 0"})
	db.exec("delete from people")
	var failed []time.Time
	enough := make(chan struct{})
	f := func(trace rowsync.SyncTrace) {
		if trace.Err == nil {
			return
		}
		if failed = append(failed, time.Now()); len(failed) == 4 {
			close(enough)
		}
		source.tell(rowsync.Updated, "posts", "1")
	}
	tracer.f.Store(&f)
	source.tell(rowsync.Updated, "posts", "1")
	<-enough
	live.Close()
	if took := failed[3].Sub(failed[0]); took < 700*time.Millisecond {
		t.Errorf("four attempts within %v, want 100, 200 and 400 ms between them", took)
	}
}
