package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// waitUntil waits until a condition holds that nothing tells of.
func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// TestLiveSharesIdenticalQueries: identical queries are loaded once and hold one
// value; what differs in anything is a value of its own.
func TestLiveSharesIdenticalQueries(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Author")), rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('ada'); insert into posts (title, author_id) values ('one', 1)")
	settle(t, client, db)
	base := rowsync.Select{Where: "title <> $1", Args: []any{"x"}, OrderBy: "title", Limit: 3, With: []string{"Author"}}
	first := query[Post](t, client, base)
	before := client.Stats().Statements
	for range 100 {
		if again := query[Post](t, client, base); !rowsync.OneValue(first, again) || again.Value()[0] != first.Value()[0] {
			t.Fatal("an identical query has another value")
		}
	}
	if after := client.Stats().Statements; after != before {
		t.Errorf("%d statements for queries whose value is there", after-before)
	}
	for name, change := range map[string]func(*rowsync.Select){
		"Where":       func(q *rowsync.Select) { q.Where = "title > $1" },
		"Args":        func(q *rowsync.Select) { q.Args = []any{"y"} },
		"OrderBy":     func(q *rowsync.Select) { q.OrderBy = "title desc" },
		"Limit":       func(q *rowsync.Select) { q.Limit = 4 },
		"Offset":      func(q *rowsync.Select) { q.Offset = 1 },
		"With":        func(q *rowsync.Select) { q.With = nil },
		"type of arg": func(q *rowsync.Select) { q.Args = []any{new("x")} },
		"not known": func(q *rowsync.Select) {
			q.Where, q.Args = "title <> @not", []any{pgx.NamedArgs{"not": "x"}}
		},
	} {
		q := base
		change(&q)
		if other := query[Post](t, client, q); rowsync.OneValue(first, other) {
			t.Errorf("another %s: the value is shared", name)
		}
	}
	statements := client.Stats().Statements
	db.exec("update people set name = 'eve'")
	await(t, first, func(posts []*Post, _ error) bool { return posts[0].Author.Name == "eve" })
	if n := client.Stats().Statements - statements; n != 1 {
		t.Errorf("%d statements for one change of a row that all hold", n)
	}
}

// TestLiveOwnsItsArgs: who alters what he gave as Args does not alter the query.
func TestLiveOwnsItsArgs(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	titles, limit := []string{"one", "three"}, new(int64(100))
	q := rowsync.Select{Where: "title = any($1) and id < $2", Args: []any{titles, limit}}
	live := query[Post](t, client, q)
	titles[0], titles[1], *limit = "two", "two", 0
	q.Args[0] = []string{"two"}
	db.exec("insert into posts (title) values ('three')")
	await(t, live, func(posts []*Post, _ error) bool { return len(posts) == 2 && posts[1].Title == "three" })
}

// hold makes every load of posts wait until release is called.
func hold(t *testing.T, db *database) (release func()) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "lock table posts in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(context.Background()); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			t.Error(err)
		}
	}
}

// TestLiveSharedFirstLoad: first queries that come together make one load, and a
// caller that gives up leaves it to the others.
func TestLiveSharedFirstLoad(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one')")
	release := hold(t, db)
	defer release()
	before := client.Stats().Statements
	const n = 20
	gaveUp := errors.New("the caller gave up")
	leader, giveUp := context.WithCancelCause(t.Context())
	leaderErr := make(chan error, 1)
	go func() {
		_, err := rowsync.Query[Post](leader, client, rowsync.Select{})
		leaderErr <- err
	}()
	waitUntil(t, "the first query waits", func() bool { return rowsync.SharedUsers(client) == 1 })
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{})
			if err != nil {
				t.Error(err)
				return
			}
			defer live.Close()
			if posts := live.Value(); len(posts) != 1 {
				t.Errorf("got %s", show(posts))
			}
		})
	}
	waitUntil(t, "all queries wait", func() bool { return rowsync.SharedUsers(client) == n+1 })
	giveUp(gaveUp)
	if err := <-leaderErr; !errors.Is(err, gaveUp) {
		t.Errorf("the caller that gave up got %v", err)
	}
	release()
	wg.Wait()
	if got := client.Stats().Statements - before; got < 1 || got > 2 {
		// A query that comes when all others have closed theirs makes another load.
		t.Errorf("%d loads", got)
	}
	if h := rowsync.HoldingsOf(client); h != (rowsync.Holdings{}) {
		t.Errorf("left behind: %+v", h)
	}
}

// TestLiveSharedGivenUp: a first load that nobody waits for any more is ended,
// and nothing is left of it.
func TestLiveSharedGivenUp(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	release := hold(t, db)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := rowsync.Query[Post](ctx, client, rowsync.Select{})
		done <- err
	}()
	waitUntil(t, "the query waits", func() bool { return rowsync.HoldingsOf(client).Followers == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waitUntil(t, "nothing is left", func() bool { return rowsync.HoldingsOf(client) == rowsync.Holdings{} })
	if _, err := rowsync.Query[Post](ctx, client, rowsync.Select{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestLiveSharedFirstError: the error of a first load comes to all who wait for
// it, and the next query loads again.
func TestLiveSharedFirstError(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	q := rowsync.Select{Where: "1 / (select count(*) from people) > 0"}
	release := hold(t, db)
	defer release()
	const n = 5
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			live, err := rowsync.Query[Post](t.Context(), client, q)
			if err == nil {
				live.Close()
				t.Error("no error")
				return
			}
			wantAll(t, err, "query", "division by zero")
		})
	}
	waitUntil(t, "all queries wait", func() bool { return rowsync.SharedUsers(client) == n })
	release()
	wg.Wait()
	if h := rowsync.HoldingsOf(client); h != (rowsync.Holdings{}) {
		t.Errorf("left behind: %+v", h)
	}
	db.exec("insert into people (name) values ('ada')")
	query[Post](t, client, q)
}

// TestLiveSharedBehind: who comes while the shared value cannot follow gets what
// it keeps and why, and is there when it goes on.
func TestLiveSharedBehind(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into people (name) values ('ada'); insert into posts (title) values ('one')")
	q := rowsync.Select{Where: "1 / (select count(*) from people) > 0"}
	first := query[Post](t, client, q)
	db.exec("delete from people; insert into posts (title) values ('two')")
	await(t, first, func(_ []*Post, err error) bool { return err != nil })
	second := query[Post](t, client, q)
	if err := second.Err(); err == nil || len(second.Value()) != 1 {
		t.Errorf("got %s, error %v", show(second.Value()), err)
	}
	for posts, err := range second.Changes(t.Context()) {
		if err == nil || len(posts) != 1 {
			t.Errorf("Changes yields %s, error %v", show(posts), err)
		}
		break
	}
	db.exec("insert into people (name) values ('eve')")
	await(t, second, func(posts []*Post, err error) bool { return err == nil && len(posts) == 2 })
}

// TestLiveSharedClose: closing one Live ends its Changes at once; those that
// share its value go on, and with the last one all is gone.
func TestLiveSharedClose(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	db.exec("insert into posts (title) values ('one')")
	q := rowsync.Select{With: []string{"Comments"}}
	one, other := query[Post](t, client, q), query[Post](t, client, q)
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var last error
		for _, err := range one.Changes(context.Background()) {
			last = err
			close(begun)
		}
		ended <- last
	}()
	<-begun
	one.Close()
	if err := <-ended; err != nil {
		t.Errorf("Changes of the closed Live ended with %v", err)
	}
	for range one.Changes(t.Context()) {
		t.Error("Changes of a closed Live yields")
	}
	db.exec("insert into posts (title) values ('two')")
	await(t, other, func(posts []*Post, _ error) bool { return len(posts) == 2 })
	if len(one.Value()) != 1 || one.Err() != nil {
		t.Errorf("the closed Live shows %s, error %v", show(one.Value()), one.Err())
	}
	one.Close() // once more does nothing
	await(t, other, func(posts []*Post, _ error) bool { return len(posts) == 2 })
	other.Close()
	if h := rowsync.HoldingsOf(client); h != (rowsync.Holdings{}) {
		t.Errorf("left behind: %+v", h)
	}
	if len(other.Value()) != 2 || other.Err() != nil {
		t.Errorf("after the last Close: %s, error %v", show(other.Value()), other.Err())
	}
	third := query[Post](t, client, q)
	db.exec("insert into comments (post_id, body) values (1, 'hi')")
	await(t, third, func(posts []*Post, _ error) bool { return len(posts) == 2 && len(posts[0].Comments) == 1 })
}

// TestLiveSharedComeAndGo: Lives of a few queries are opened and closed by many
// at once while rows change. Each is right for as long as it is open, and at the
// end nothing is left.
func TestLiveSharedComeAndGo(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('0')")
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 40 {
				ctx, cancel := context.WithCancel(t.Context())
				q := rowsync.Select{Limit: 1 + (worker+i)%2}
				if i%5 == worker%5 {
					time.AfterFunc(time.Duration(i)*20*time.Microsecond, cancel)
				}
				live, err := rowsync.Query[Post](ctx, client, q)
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					cancel()
					continue
				}
				title := fmt.Sprint(worker, i)
				if _, err := db.Exec(t.Context(), "update posts set title = title || ',' || $1", title); err != nil {
					t.Error(err)
				}
				var want string
				if err := db.QueryRow(t.Context(), "select title from posts").Scan(&want); err != nil {
					t.Error(err)
				}
				await(t, live, func(posts []*Post, _ error) bool { return len(posts) == 1 && len(posts[0].Title) >= len(want) })
				live.Close()
				cancel()
			}
		})
	}
	wg.Wait()
	waitUntil(t, "nothing is left", func() bool { return rowsync.HoldingsOf(client) == rowsync.Holdings{} })
}

// TestLiveOfClosedClient: a Client that is closed gives no Live, and ends those
// it gave with an error that is told.
func TestLiveOfClosedClient(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one')")
	live := query[Post](t, client, rowsync.Select{})
	release := hold(t, db)
	waiting := make(chan error, 1)
	go func() {
		_, err := rowsync.Query[Post](context.Background(), client, rowsync.Select{Limit: 1})
		waiting <- err
	}()
	waitUntil(t, "the query waits", func() bool { return rowsync.HoldingsOf(client).Subscribers == 2 })
	go client.Close()
	select {
	case err := <-waiting:
		if !errors.Is(err, rowsync.ErrClosed) {
			t.Errorf("the query that waited: %v", err)
		}
	case <-time.After(10 * time.Second): // long before its LoadTimeout
		t.Error("Close does not end a first load")
	}
	release()
	client.Close()
	var last error
	yielded := 0
	for posts, err := range live.Changes(t.Context()) {
		if last = err; len(posts) != 1 {
			t.Errorf("yields %s", show(posts))
		}
		yielded++
	}
	if !errors.Is(last, rowsync.ErrClosed) || !errors.Is(live.Err(), rowsync.ErrClosed) || yielded != 1 {
		t.Errorf("Changes yielded %d values, the last with %v; Err is %v", yielded, last, live.Err())
	}
	if _, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{}); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("Query: %v", err)
	}
	live.Close()
}
