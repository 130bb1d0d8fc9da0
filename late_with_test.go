package rowsync_test

import (
	"strings"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestLateWithOfNothing: With given to Sync holds from then on, also if the value
// had nothing yet to read an association of.
func TestLateWithOfNothing(t *testing.T) {
	open := func(t *testing.T, seed string) (*rowsync.Client, *database) {
		t.Helper()
		client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags", "Author")), rowsync.WatchModel[Person]())
		db.exec("insert into tags values ('a', 'apple'); insert into people (name) values ('ada');" + seed)
		settle(t, client, db)
		return client, db
	}
	t.Run("empty list", func(t *testing.T) {
		client, db := open(t, "")
		sub := client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp), rowsync.On[Person](rowsync.Updated)); err != nil {
			t.Fatal(err)
		}
		db.exec("update people set name = 'eve'")
		posts, err := rowsync.Sync(t.Context(), sub, []*Post{}, next(t, sub), rowsync.With("Tags"))
		if err != nil {
			t.Fatal(err)
		}
		db.exec("insert into posts (title) values ('one'); insert into posts_tags values (1, 'a')")
		wantFresh(t, client, rowsync.Select{With: []string{"Tags"}}, syncAll(t, db, sub, posts))
	})
	t.Run("no author", func(t *testing.T) {
		client, db := open(t, "insert into posts (title) values ('one')")
		sub, posts := loaded[Post](t, client, rowsync.Select{})
		db.exec("update posts set title = 'uno'")
		ev := next(t, sub)
		var err error
		for _, opts := range [][]rowsync.SyncOption{nil, {rowsync.With("Author")}} {
			if posts, err = rowsync.Sync(t.Context(), sub, posts, ev, opts...); err != nil {
				t.Fatal(err)
			}
		}
		db.exec("update posts set author_id = 1")
		wantFresh(t, client, rowsync.Select{With: []string{"Author"}}, syncAll(t, db, sub, posts))
	})
}

// TestSubscribeDuringSync: a Sync that is under way leaves alone what Subscribe
// takes in meanwhile.
func TestSubscribeDuringSync(t *testing.T) {
	ctx := t.Context()
	url := pgtemp.Shared(t).Database(t, worldSQL)
	db := &database{openPool(ctx, t, url), t}
	pool, queried := hookedPool(t, url)
	client, err := rowsync.Open(ctx, pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	db.exec("insert into posts (title) values ('one'), ('two')")
	settle(t, client, db)
	load := func(with ...string) []*Post {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: with})
		if err != nil {
			t.Fatal(err)
		}
		return posts
	}
	sub := client.NewSubscriber(ctx)
	one := load()[0]
	two := load("Comments")[1]
	if _, err := sub.Subscribe(one); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'uno' where id = 1")
	ev := next(t, sub)
	between := func(sql string) {
		if strings.Contains(sql, `from "public"."posts" t where`) {
			queried.f.Store(nil)
			if _, err := sub.Subscribe(two, rowsync.With("Comments")); err != nil {
				t.Error(err)
			}
		}
	}
	queried.f.Store(&between)
	if _, err := rowsync.Sync(ctx, sub, one, ev); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into comments (post_id, body) values (2, 'hi')")
	two = syncAll(t, db, sub, two)
	if len(two.Comments) != 1 {
		t.Errorf("got %s, want the comment", show(two))
	}
}
