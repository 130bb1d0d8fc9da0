package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// await waits until a Live shows a value that passes.
func await[T any](t testing.TB, l *rowsync.Live[T], passes func(T, error) bool) (value T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for v, err := range l.Changes(ctx) {
		if passes(v, err) {
			return v
		}
		if ctx.Err() != nil {
			t.Fatalf("still %s, error %v", show(v), err)
		}
	}
	t.Fatal("the Live was closed")
	return value
}

// TestLiveFirstError: the error of the first load is returned, and nothing is left.
func TestLiveFirstError(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	down := errors.New("down")
	_, err := rowsync.Follow(t.Context(), client, func(context.Context) ([]*Post, error) { return nil, down })
	if !errors.Is(err, down) {
		t.Errorf("Follow: %v", err)
	}
	_, err = rowsync.Query[Post](t.Context(), client, rowsync.Select{Where: "tilte = 'x'"})
	if err == nil {
		t.Error("Query with a condition that is no SQL did not fail")
	} else {
		wantAll(t, err, "query", "tilte")
	}
	for name, f := range map[string]func() error{
		"no function": func() error {
			_, err := rowsync.Follow[[]*Post](t.Context(), client, nil)
			return err
		},
		"no model": func() error {
			_, err := rowsync.Follow(t.Context(), client, func(context.Context) (int, error) { return 0, nil })
			return err
		},
		"pointer type": func() error {
			_, err := rowsync.Query[*Post](t.Context(), client, rowsync.Select{})
			return err
		},
		"path not watched": func() error {
			_, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{With: []string{"Tags"}})
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestLiveLaterError: the value is kept, the error is shown, and the Live
// catches up by itself.
func TestLiveLaterError(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	var down atomic.Bool
	load := func(ctx context.Context) ([]*Post, error) {
		if down.Load() {
			return nil, errors.New("down")
		}
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
	}
	live, err := rowsync.Follow(t.Context(), client, load)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	down.Store(true)
	db.exec("insert into posts (title) values ('two')")
	kept := await(t, live, func(_ []*Post, err error) bool { return err != nil })
	if len(kept) != 1 || live.Err() == nil {
		t.Errorf("kept %s, error %v", show(kept), live.Err())
	}
	down.Store(false)
	await(t, live, func(posts []*Post, err error) bool { return len(posts) == 2 && err == nil })
	if err := live.Err(); err != nil {
		t.Error(err)
	}
}

// TestLiveOfOne: a Live may hold a single row, by pointer or by value.
func TestLiveOfOne(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	db.exec("insert into posts (title) values ('one')")
	load := func(ctx context.Context) (Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{Where: "id = 1", With: []string{"Comments"}})
		if err != nil || len(posts) == 0 {
			return Post{}, err
		}
		return *posts[0], nil
	}
	byValue, err := rowsync.Follow(t.Context(), client, load, rowsync.With("Comments"))
	if err != nil {
		t.Fatal(err)
	}
	defer byValue.Close()
	byPointer, err := rowsync.Follow(t.Context(), client, func(ctx context.Context) (*Post, error) {
		p, err := load(ctx)
		return &p, err
	}, rowsync.With("Comments"))
	if err != nil {
		t.Fatal(err)
	}
	defer byPointer.Close()
	db.exec("insert into comments (post_id, body) values (1, 'hi'); update posts set title = 'uno'")
	await(t, byValue, func(p Post, _ error) bool { return p.Title == "uno" && len(p.Comments) == 1 })
	await(t, byPointer, func(p *Post, _ error) bool { return p.Title == "uno" && len(p.Comments) == 1 })
}

// TestLiveBulk: more changes than the buffer holds are a Reset, after which the
// value is right all the same.
func TestLiveBulk(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{OrderBy: "id", With: []string{"Comments"}})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	const n = 10_000
	db.exec(fmt.Sprintf("insert into posts (title) select 'p' || i from generate_series(1, %d) i", n))
	db.exec("insert into comments (post_id, body) select id, title from posts")
	await(t, live, func(posts []*Post, _ error) bool {
		return len(posts) == n && len(posts[n-1].Comments) == 1 && len(posts[0].Comments) == 1
	})
}

// TestSubscriberEndsWithItsContext: it hears of nothing any more, and its
// iterator ends.
func TestSubscriberEndsWithItsContext(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	ctx, cancel := context.WithCancel(t.Context())
	sub := client.NewSubscriber(ctx)
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into people (name) values ('ada')")
	next(t, sub)
	cancel()
	for range sub.Events(t.Context()) { // ends when the Subscriber is closed
	}
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("SubscribeTo: %v", err)
	}
}

// TestLiveBacksOff: while a Live cannot load, changes do not make it try more
// often than its back-off allows.
func TestLiveBacksOff(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	var (
		down  atomic.Bool
		tries atomic.Int64
	)
	live, err := rowsync.Follow(t.Context(), client, func(ctx context.Context) ([]*Post, error) {
		if down.Load() {
			tries.Add(1)
			return nil, errors.New("down")
		}
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	down.Store(true)
	const n = 60
	for i := range n {
		db.exec("insert into posts (title) values ('more')")
		if i == 0 {
			await(t, live, func(_ []*Post, err error) bool { return err != nil })
		}
		settle(t, client, db) // so that each comes by itself
	}
	if got := tries.Load(); got > n/2 {
		t.Errorf("%d attempts during %d changes", got, n)
	}
	down.Store(false)
	await(t, live, func(posts []*Post, err error) bool { return len(posts) == n && err == nil })
}
