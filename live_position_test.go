package rowsync_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rowsync/rowsync"
)

// stepTracer calls a function after each step of a Live, in the Live's goroutine.
type stepTracer struct {
	f atomic.Pointer[func(rowsync.SyncTrace)]
}

func (s *stepTracer) TraceSync(_ context.Context, trace rowsync.SyncTrace) {
	if f := s.f.Load(); f != nil {
		(*f)(trace)
	}
}

// TestLivePositionOfBurst: while events wait, the position stays before the first
// change that they stand for, though later changes are shown already.
func TestLivePositionOfBurst(t *testing.T) {
	const rows = 1500 // more than are taken in at once
	source, tracer := newScripted(), &stepTracer{}
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Tracer: tracer})
	db.exec(fmt.Sprintf("insert into posts (title) select 'old' from generate_series(1, %d)", rows))
	live := query[Post](t, client, rowsync.Select{})
	begin := live.Position().Seq
	holds, goOn := make(chan struct{}), make(chan struct{})
	type step struct{ newest, shown uint64 }
	steps := make(chan step, 10)
	first := true
	f := func(trace rowsync.SyncTrace) {
		if first {
			first = false
			close(holds)
			<-goOn
			return
		}
		var s step
		for _, e := range trace.Events {
			s.newest = max(s.newest, e.Position.Seq)
		}
		s.shown = live.Position().Seq
		steps <- s
	}
	tracer.f.Store(&f)
	source.tell(rowsync.Updated, "posts", "1") // begin+1
	<-holds
	for i := range rows {
		source.tell(rowsync.Updated, "posts", fmt.Sprint(i+1)) // begin+2+i
	}
	source.tell(rowsync.Updated, "posts", "1") // begin+2+rows, joined with begin+2
	close(goOn)
	last := begin + 2 + rows
	if s := <-steps; s.newest != last || s.shown != begin+2+1023 {
		t.Errorf("after the first burst: newest event %d, position %d; want %d and %d", s.newest, s.shown, last, begin+2+1023)
	}
	if s := <-steps; s.shown != last-1 && s.shown != last {
		t.Errorf("after the last burst: position %d, want %d", s.shown, last-1)
	}
}

// TestLivePositionOfLoadFunction: what only the load function can tell is not
// counted as shown until it has told it.
func TestLivePositionOfLoadFunction(t *testing.T) {
	source, tracer := newScripted(), &stepTracer{}
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Tracer: tracer})
	live := follow(t, client, func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
	})
	begin := live.Position().Seq
	patched, loaded := make(chan uint64, 1), make(chan uint64, 1)
	f := func(trace rowsync.SyncTrace) {
		if len(trace.Events) > 0 {
			patched <- live.Position().Seq
		} else {
			loaded <- live.Position().Seq
		}
	}
	tracer.f.Store(&f)
	db.exec("insert into posts (title) values ('one')")
	source.tell(rowsync.Inserted, "posts", "1")
	if at := <-patched; at != begin {
		t.Errorf("position %d before the row is there, want %d", at, begin)
	}
	if at := <-loaded; at != begin+1 || len(live.Value()) != 1 {
		t.Errorf("position %d, want %d; value %s", at, begin+1, show(live.Value()))
	}
}
