package rowsync_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// follow returns a Live of a load function.
func follow[T any](t *testing.T, client *rowsync.Client, load func(context.Context) (T, error), opts ...rowsync.LiveOption) *rowsync.Live[T] {
	t.Helper()
	l, err := rowsync.Follow(t.Context(), client, load, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// TestLiveFollowMap: a map by primary key is held like a list.
func TestLiveFollowMap(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	db.exec("insert into posts (title) values ('one'), ('two')")
	live := follow(t, client, func(ctx context.Context) (map[int64]*Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{"Comments"}})
		byID := map[int64]*Post{}
		for _, p := range posts {
			byID[p.ID] = p
		}
		return byID, err
	}, rowsync.With("Comments"))
	before := live.Value()
	db.exec("insert into comments (post_id, body) values (2, 'hi'); delete from posts where id = 1; insert into posts (title) values ('three')")
	await(t, live, func(posts map[int64]*Post, _ error) bool {
		return posts[1] == nil && posts[2] != nil && len(posts[2].Comments) == 1 && posts[3] != nil
	})
	if len(before) != 2 || len(before[2].Comments) != 0 {
		t.Errorf("the value that was handed out is now %s", show(before))
	}
}

// TestLiveFollowDeleted: when the row of a single value is deleted, the value is
// what the load function then returns, or stays with the error that it returns.
func TestLiveFollowDeleted(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	first := func(ctx context.Context) (*Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{Limit: 1})
		if err != nil || len(posts) == 0 {
			return nil, err
		}
		return posts[0], nil
	}
	pointer := follow(t, client, first)
	value := follow(t, client, func(ctx context.Context) (Post, error) {
		p, err := first(ctx)
		if p == nil {
			return Post{}, err
		}
		return *p, err
	})
	strict := follow(t, client, func(ctx context.Context) (*Post, error) {
		p, err := first(ctx)
		if p == nil && err == nil {
			err = pgx.ErrNoRows
		}
		return p, err
	})
	db.exec("delete from posts")
	await(t, pointer, func(p *Post, err error) bool { return p == nil && err == nil })
	await(t, value, func(p Post, err error) bool { return p.ID == 0 && err == nil })
	await(t, strict, func(p *Post, err error) bool { return p != nil && p.Title == "one" && errors.Is(err, pgx.ErrNoRows) })
	db.exec("insert into posts (title) values ('two')")
	await(t, pointer, func(p *Post, err error) bool { return p != nil && p.Title == "two" && err == nil })
	await(t, value, func(p Post, err error) bool { return p.Title == "two" && err == nil })
	await(t, strict, func(p *Post, err error) bool { return p.Title == "two" && err == nil })
}

// TestLiveFollowPace: under changes that never cease the load function goes on
// being called, and pauses between calls for as long as each took, 50 ms at least.
func TestLiveFollowPace(t *testing.T) {
	type call struct{ began, ended time.Time }
	source, tracer := newScripted(), &stepTracer{}
	client, db := openScripted(t, source, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Tracer: tracer})
	db.exec("insert into posts (title) values ('one')")
	changes := 0
	f := func(rowsync.SyncTrace) { // as soon as one change is taken in there is the next
		changes++
		source.tell(rowsync.Updated, "posts", "1")
	}
	tracer.f.Store(&f)
	const n = 7
	var calls []call
	enough := make(chan struct{})
	live := follow(t, client, func(ctx context.Context) ([]*Post, error) {
		began := time.Now()
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{Limit: 1})
		if len(calls)%2 == 1 {
			_, err = db.Exec(ctx, "select pg_sleep(0.12)")
		}
		if calls = append(calls, call{began, time.Now()}); len(calls) == n {
			close(enough)
		}
		return posts, err
	})
	source.tell(rowsync.Updated, "posts", "1")
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("the load function is not called often enough")
	}
	live.Close()
	for i := 1; i < len(calls); i++ {
		pause := calls[i].began.Sub(calls[i-1].ended)
		if took := calls[i-1].ended.Sub(calls[i-1].began); pause < took || i > 1 && pause < 50*time.Millisecond {
			t.Errorf("call %d came %v after one that took %v", i, pause, took)
		}
	}
	t.Logf("%d steps, %d calls", changes, len(calls))
}

// TestLiveFollowSameValue: a load that brings what is held wakes nobody.
func TestLiveFollowSameValue(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	var calls atomic.Int64
	live := follow(t, client, func(ctx context.Context) ([]*Post, error) {
		defer calls.Add(1)
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{Where: "title = 'one'"})
	})
	first, position := live.Value(), live.Position()
	var yielded atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() {
		for _, err := range live.Changes(ctx) {
			if err == nil {
				yielded.Add(1)
			}
		}
	})
	waitUntil(t, "the reader has the first value", func() bool { return yielded.Load() == 1 })
	for range 3 {
		before := calls.Load()
		db.exec("insert into posts (title) values ('two')")
		waitUntil(t, "it is loaded again", func() bool { return calls.Load() > before })
	}
	waitUntil(t, "the position moves", func() bool { return live.Position().Seq > position.Seq })
	stop()
	reader.Wait()
	if yielded.Load() != 1 || &live.Value()[0] != &first[0] {
		t.Errorf("%d values were yielded; the value is %s, was %s", yielded.Load(), show(live.Value()), show(first))
	}
}

// TestLiveFollowOpensLive: a load function that opens a Live does not wait for
// the turn that it has itself, however few may load at once.
func TestLiveFollowOpensLive(t *testing.T) {
	source := newScripted()
	client, db := openScripted(t, source, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](), rowsync.WatchModel[Person]()}, Reloads: 1,
	})
	db.exec("insert into people (name) values ('ada'); insert into posts (title) values ('one')")
	lives := make([]*rowsync.Live[[]*Post], 5)
	for i := range lives {
		lives[i] = follow(t, client, func(ctx context.Context) ([]*Post, error) {
			for _, limit := range []int{1, 2 + i} { // one that is shared, and one of its own
				people, err := rowsync.Query[Person](ctx, client, rowsync.Select{Limit: limit})
				if err != nil {
					return nil, err
				}
				n := len(people.Value())
				people.Close()
				if n != 1 {
					return nil, errors.New("there is one person")
				}
			}
			return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
		})
	}
	db.exec("insert into posts (title) values ('two')")
	source.reset("a test")
	for _, live := range lives {
		await(t, live, func(posts []*Post, err error) bool { return len(posts) == 2 && err == nil })
	}
}
