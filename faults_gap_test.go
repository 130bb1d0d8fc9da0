package rowsync_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestFaultStaleCache: what changes while EctoSync's connection is down leaves
// the row as it was before in its cache, which it then hands out.
func TestFaultStaleCache(t *testing.T) {
	q := rowsync.Select{With: []string{"Tags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Person](rowsync.With("FavouriteTags")))
	db.exec(`insert into people (name) values ('ada'); insert into posts (title) values ('one'), ('two');
		insert into tags values ('a', 'v0'); insert into posts_tags values (1, 'a')`)
	settle(t, client, db)
	posts := holdBoth[Post](t, client, db, q)
	people := holdBoth[Person](t, client, db, rowsync.Select{Where: "id = 1", With: []string{"FavouriteTags"}})
	posts.after("update tags set name = 'v1'") // v1 is in the cache
	for range 5 {
		killReader(t.Context(), t, db.Pool)
		db.exec("update tags set name = name || '+'")
		// The row comes into other places, from the cache if that were right.
		people.after("insert into favourite_tags values (1, 'a')")
		posts.after("insert into posts_tags values (2, 'a')")
		people.after("delete from favourite_tags")
		posts.after("delete from posts_tags where post_id = 2")
	}
}

// TestFaultStaleCacheAfterGap: after a Reset nothing is used that was read
// before it, not even for an event from before it.
func TestFaultStaleCacheAfterGap(t *testing.T) {
	gaps := map[string]func(s *scripted){
		"of everything": func(s *scripted) { s.sink.Reset(rowsync.Reset{Reason: "a gap"}) },
		"of the table":  func(s *scripted) { s.sink.Reset(rowsync.Reset{Reason: "a gap", Table: s.tables["people"]}) },
		"by a truncate": func(s *scripted) { s.tell(rowsync.Truncated, "people", "") },
	}
	for name, gap := range gaps {
		t.Run(name, func(t *testing.T) {
			db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL)), t}
			db.exec("insert into people (name) values ('v1')")
			source := newScripted()
			client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
				Source: source, Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			quick, held := loaded[Person](t, client, rowsync.Select{})
			slow, _ := loaded[Person](t, client, rowsync.Select{})
			source.tell(rowsync.Updated, "people", "1")
			old := next(t, slow)
			sync := func(sub *rowsync.Subscriber, ev rowsync.Event) string {
				v, err := rowsync.Sync(t.Context(), sub, held, ev)
				if err != nil {
					t.Fatal(err)
				}
				return v[0].Name
			}
			if got := sync(quick, next(t, quick)); got != "v1" {
				t.Fatalf("got %s", got)
			}
			db.exec("update people set name = 'v2'")
			if got := sync(slow, old); got != "v1" {
				t.Fatalf("got %s: v1 was not in the cache, so this test tells nothing", got)
			}
			gap(source)
			if got := sync(slow, old); got != "v2" {
				t.Errorf("after the gap, Sync gave %s, the database has v2", got)
			}
			for _, sub := range []*rowsync.Subscriber{quick, slow} {
				if ev := next(t, sub); ev.Reset == nil {
					t.Errorf("told %s, want a Reset", ev)
				}
			}
		})
	}
}

// TestFaultCommittedWhileLoading: what is committed after EctoSync has read a
// row and before it subscribes is missed. Here something is committed after
// each statement of the load.
func TestFaultCommittedWhileLoading(t *testing.T) {
	url := pgtemp.Shared(t).Database(t, worldSQL)
	db := &database{openPool(t.Context(), t, url), t}
	pool, queried := hookedPool(t, url)
	q := rowsync.Select{With: []string{"Author.FavouriteTags", "Comments", "Tags", "HotTags"}}
	client, err := rowsync.Open(t.Context(), pool, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With(q.With...))}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	db.exec(`insert into people (name) values ('ada'); insert into posts (title, author_id) values ('one', 1), ('two', 1);
		insert into comments (post_id, body) values (1, 'a'), (2, 'b'); insert into tags values ('a', 'apple'), ('z', 'zebra');
		insert into posts_tags values (1, 'a'), (2, 'z'); insert into favourite_tags values (1, 'a')`)
	var commits atomic.Int64
	writing := atomic.Bool{}
	commit := func(sql string) {
		if !strings.Contains(sql, `"public".`) || !writing.CompareAndSwap(false, true) {
			return
		}
		defer writing.Store(false)
		commits.Add(1)
		db.exec(`insert into posts (title, author_id) values ('more', 1); insert into comments (post_id, body) select max(id), 'c' from posts;
			update comments set post_id = 3 - post_id where post_id < 3; update people set name = name || '!';
			insert into tags select 'x' || max(id), 'zoo' from posts; insert into posts_tags select 1, id from tags on conflict do nothing;
			delete from posts_tags where post_id = 2; update tags set name = name || '!'; insert into favourite_tags select 1, max(id) from tags`)
	}
	for name, begin := range map[string]func() (*rowsync.Live[[]*Post], error){
		"Query": func() (*rowsync.Live[[]*Post], error) { return rowsync.Query[Post](t.Context(), client, q) },
		"Follow": func() (*rowsync.Live[[]*Post], error) {
			return rowsync.Follow(t.Context(), client, loadAll[Post](client, q), rowsync.With(q.With...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			commits.Store(0)
			queried.f.Store(&commit)
			live, err := begin()
			if err != nil {
				t.Fatal(err)
			}
			defer live.Close()
			awaitFresh(t, client, q, queried, live)
			// One after each statement, unless one of the value before is not over.
			if got := commits.Load(); got < 2 {
				t.Errorf("%d commits during the load, want several", got)
			}
		})
	}
	t.Run("Load", func(t *testing.T) {
		sub := client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
		queried.f.Store(&commit)
		posts, err := rowsync.Load(t.Context(), sub, loadAll[Post](client, q), rowsync.With(q.With...))
		queried.rest()
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range drained(t, db, sub) {
			if posts, err = rowsync.Sync(t.Context(), sub, posts, ev); err != nil {
				t.Fatal(err)
			}
		}
		wantFresh(t, client, q, posts)
	})
}

// awaitFresh waits until a Live shows what a fresh load returns, nothing being
// committed after its queries any more.
func awaitFresh[T any](t *testing.T, client *rowsync.Client, q rowsync.Select, queried *afterQuery, live *rowsync.Live[[]*T]) {
	t.Helper()
	queried.rest()
	fresh, err := rowsync.LoadAll[T](t.Context(), client, q)
	if err != nil {
		t.Fatal(err)
	}
	wanted := show(fresh)
	await(t, live, func(v []*T, err error) bool { return err == nil && show(v) == wanted })
}

// liveHeap returns how many bytes are in use once the garbage is collected.
func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 { // what finalizers and cleanups let go goes with the next
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFaultCacheGrows: the cache of EctoSync keeps every row that was ever read.
func TestFaultCacheGrows(t *testing.T) {
	const rows, size = 2_000, 16 << 10 // 32 MB in all
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL)), t}
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}, CacheSize: 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.Inserted)); err != nil {
		t.Fatal(err)
	}
	before := liveHeap()
	db.exec("insert into people (name) select repeat('x', $1) from generate_series(1, $2)", size, rows)
	for range rows {
		ev := next(t, sub)
		if p, err := rowsync.Get[Person](t.Context(), sub, ev); err != nil || len(p.Name) != size {
			t.Fatal(err)
		}
	}
	// What otter has yet to evict, and what else grew, may add to 50 rows.
	if grown := liveHeap() - before; grown > 8<<20 {
		t.Errorf("%d MB are held after %d MB were read, with a cache of 50 rows", grown>>20, rows*size>>20)
	}
	if got := client.Stats().Rows; got != rows {
		t.Errorf("%d rows were read, want %d", got, rows)
	}
}

// TestFaultFollowersGrow: nothing is left of Subscribers and Lives that end,
// nor of rows that leave a value.
func TestFaultFollowersGrow(t *testing.T) {
	q := rowsync.Select{With: []string{"Author", "Comments", "Tags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)))
	db.exec(`insert into people (name) select 'p' from generate_series(1, 100); insert into posts (title, author_id) select 'x', id from people;
		insert into tags select 't' || id, 'x' from posts; insert into posts_tags select p.id, t.id from posts p, tags t where t.id < 't4';
		insert into comments (post_id, body) select id, 'c' from posts`)
	settle(t, client, db)
	posts, err := rowsync.LoadAll[Post](t.Context(), client, q)
	if err != nil {
		t.Fatal(err)
	}
	comeAndGo := func(n int) {
		for range n {
			ctx, cancel := context.WithCancel(t.Context())
			sub := client.NewSubscriber(ctx)
			followed, err := sub.Subscribe(posts, rowsync.With(q.With...))
			if err != nil || len(followed) < 400 {
				t.Fatalf("followed %d, %v", len(followed), err)
			}
			cancel()
			for range sub.Events(t.Context()) { // ends when the Subscriber is closed
			}
			live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{Where: "id <= 3", With: q.With})
			if err != nil {
				t.Fatal(err)
			}
			live.Close()
		}
	}
	comeAndGo(20) // pools and caches fill
	before := liveHeap()
	comeAndGo(150)
	if grown := liveHeap() - before; grown > 512<<10 {
		t.Errorf("%d kB are held after 150 Subscribers of %d posts have come and gone", grown>>10, len(posts))
	}
	runtime.KeepAlive(posts)
}
