package rowsync_test

import (
	"context"
	"testing"

	"github.com/rowsync/rowsync"
)

// The tests TestFault… of this file and its neighbours show right here what
// EctoSync, from which Sync comes, does wrong.

// TestFaultLinkDeletedAfterTarget: EctoSync never comes back from the deletion
// of a join row that it handles after the row it led to is gone.
func TestFaultLinkDeletedAfterTarget(t *testing.T) {
	q := rowsync.Select{With: []string{"Tags.Posts", "HotTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)), rowsync.WatchModel[Person]())
	db.exec(`insert into posts (title) values ('one'), ('two'); insert into tags values ('a', 'apple'), ('m', 'melon'), ('z', 'zebra');
		insert into posts_tags select p.id, t.id from posts p, tags t`)
	settle(t, client, db)
	h := holdBoth[Post](t, client, db, q)
	h.after("delete from posts_tags where tag_id = 'a'", "delete from tags where id = 'a'")
	h.after("delete from tags where id = 'm'") // its links go by cascade
	h.after("begin; delete from posts_tags; delete from tags; delete from posts where id = 2; commit")
}

// TestFaultInsertDeleteBeforeHandling: a row that is inserted and deleted again
// before its first event is handled makes EctoSync raise.
func TestFaultInsertDeleteBeforeHandling(t *testing.T) {
	q := rowsync.Select{With: []string{"Author", "Comments", "Tags", "HotTags"}}
	for name, targets := range map[string][]rowsync.Target{
		"two events":    {rowsync.On[Post](rowsync.AnyOp), rowsync.On[Comment](rowsync.AnyOp), rowsync.On[Tag](rowsync.AnyOp)},
		"become one":    nil,
		"only the root": {rowsync.On[Post](rowsync.AnyOp)},
	} {
		t.Run(name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)))
			db.exec("insert into people (name) values ('ada'); insert into posts (title) values ('one'); insert into tags values ('z', 'zebra')")
			settle(t, client, db)
			h := holdBoth[Post](t, client, db, q, targets...)
			h.after("insert into comments (post_id, body) values (1, 'hi')", "delete from comments")
			h.after("insert into posts_tags values (1, 'z')", "delete from posts_tags")
			h.after("insert into tags values ('y', 'yak'); insert into posts_tags values (1, 'y')", "delete from tags where id = 'y'")
			h.after("insert into posts (title, author_id) values ('two', 1); insert into comments (post_id, body) values (2, 'hi')", "delete from posts where id = 2")
			h.after("update posts set author_id = 1", "delete from people where id = 1")
		})
	}
}

type Ship struct {
	ID      int64   `db:"id"`
	Captain *Sailor `db:"-" rowsync:"has_one,key=ship_id,order=rank desc, id"`
	Berth   Berth   `db:"-" rowsync:"has_one,key=ship_id"`
}

type Sailor struct {
	ID     int64  `db:"id"`
	ShipID *int64 `db:"ship_id"`
	Rank   int    `db:"rank"`
}

type Berth struct {
	ID     int64  `db:"id"`
	ShipID *int64 `db:"ship_id"`
	Quay   string `db:"quay"`
}

// TestFaultHasOne: every change of a row that another has one of makes EctoSync
// raise.
func TestFaultHasOne(t *testing.T) {
	q := rowsync.Select{With: []string{"Captain", "Berth"}}
	client, db := openTables(t, `create table ships (id bigint primary key);
		create table sailors (id bigint primary key, ship_id bigint references ships on delete set null, rank int not null);
		create table berths (id bigint primary key, ship_id bigint unique references ships on delete set null, quay text not null);
		insert into ships values (1), (2)`, rowsync.WatchModel[Ship](rowsync.With(q.With...)))
	h := holdBoth[Ship](t, client, db, q)
	h.after("insert into berths values (1, 1, 'north')")
	h.after("update berths set quay = 'south'")
	h.after("update berths set ship_id = 2")
	h.after("update berths set id = 7")
	h.after("delete from berths")
	h.after("insert into sailors values (1, 1, 10)")
	h.after("insert into sailors values (2, 1, 20)")               // takes the place
	h.after("update sailors set rank = 5 where id = 2")            // gives it back
	h.after("update sailors set ship_id = 2 where id = 1")         // and leaves
	h.after("delete from sailors where id = 2")                    // nobody is left
	h.after("update sailors set ship_id = null")                   //
	h.after("update sailors set ship_id = 1", "delete from ships") // the owner goes
}

// TestFaultCacheKeys: rows of two tables that have one key are one row to the
// cache of EctoSync.
func TestFaultCacheKeys(t *testing.T) {
	posts := rowsync.Select{With: []string{"Author", "Editor", "Comments", "Tags"}}
	people := rowsync.Select{With: []string{"Profile", "Posts", "FavouriteTags", "Fans"}}
	client, db := openWorld(t.Context(), t,
		rowsync.WatchModel[Post](rowsync.With(posts.With...)), rowsync.WatchModel[Person](rowsync.With(people.With...)), rowsync.WatchModel[Tag](rowsync.With("Posts")))
	db.exec(`insert into people (name) values ('ada'); insert into profiles (person_id, bio) values (1, 'of ada');
		insert into posts (title, author_id, editor_id) values ('one', 1, 1); insert into comments (post_id, body) values (1, 'hi');
		insert into tags values ('1', 'tag'); insert into posts_tags values (1, '1'); insert into favourite_tags values (1, '1');
		insert into friends (person_id, friend_id) values (1, 1)`)
	settle(t, client, db)
	hp, hq := holdBoth[Post](t, client, db, posts), holdBoth[Person](t, client, db, people)
	ht := holdBoth[Tag](t, client, db, rowsync.Select{With: []string{"Posts"}})
	for _, sql := range []string{
		`begin; update people set name = 'eve'; update profiles set bio = 'of eve'; update posts set title = 'uno';
			update comments set body = 'ho'; update tags set name = 'label'; commit`,
		"begin; delete from posts_tags; delete from favourite_tags; delete from friends; commit",
		"begin; insert into posts_tags values (1, '1'); insert into favourite_tags values (1, '1'); insert into friends (person_id, friend_id) values (1, 1); commit",
		"delete from posts",
	} {
		hp.after(sql)
		hq.after()
		ht.after()
	}
}

type Pin struct {
	A string `db:"a" rowsync:"key"`
	B string `db:"b" rowsync:"key"`
	N int    `db:"n"`
}

// TestFaultCacheKeysOfSeveralColumns: the columns of a key run together in no way.
func TestFaultCacheKeysOfSeveralColumns(t *testing.T) {
	client, db := openTables(t, `create table pins (a text, b text, n int, primary key (a, b));
		insert into pins select a, b, 0 from (values (''), (','), (E'\x1f'), ('\'), (E'\x01'), ('x'), ('x,'), (E'x\x1f'), ('x\'), ('1'), ('11'), ('"')) u(a),
			(values (''), (','), (E'\x1f'), ('\'), (E'\x01'), ('x'), (',x'), (E'\x1fx'), ('\x'), ('1'), ('11'), ('"')) v(b);
		update pins set n = m from (select a as x, b as y, row_number() over () as m from pins) as numbered where a = x and b = y`,
		rowsync.WatchModel[Pin]())
	h := holdBoth[Pin](t, client, db, rowsync.Select{})
	h.after("update pins set n = n * 1000")
	h.after("delete from pins where n % 3000 = 0")
}

// TestFaultUnlinkOne: EctoSync takes a tag that is unlinked from one post away
// from all.
func TestFaultUnlinkOne(t *testing.T) {
	q := rowsync.Select{With: []string{"Tags", "HotTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)), rowsync.WatchModel[Person]())
	db.exec(`insert into posts (title) values ('one'), ('two'), ('three'); insert into tags values ('a', 'apple'), ('z', 'zebra');
		insert into posts_tags select p.id, t.id from posts p, tags t`)
	settle(t, client, db)
	h := holdBoth[Post](t, client, db, q)
	h.after("delete from posts_tags where post_id = 1 and tag_id = 'z'")
	if got := len(h.value[1].HotTags) + len(h.value[1].Tags); got != 3 {
		t.Errorf("the second post has %d tags, want 3", got)
	}
	h.after("delete from posts_tags where post_id = 2")
	h.after("delete from posts where id = 3") // its links go by cascade, the tags stay
}

// TestFaultJoinTableWithoutModel: where a join table has no model, EctoSync
// takes the key of a join row for that of a post.
func TestFaultJoinTableWithoutModel(t *testing.T) {
	q := rowsync.Select{With: []string{"Fans"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Fans")))
	db.exec("insert into people (name) values ('p1'), ('p2'), ('p3')")
	settle(t, client, db)
	h := holdBoth[Person](t, client, db, q, rowsync.On[Person](rowsync.AnyOp))
	h.after("insert into friends (person_id, friend_id) values (3, 2)") // friends 1, which is nothing to person 1
	h.after("update friends set friend_id = 3, person_id = 2 where id = 1")
	h.after("insert into friends (person_id, friend_id) values (1, 3), (1, 2)", "delete from friends where id = 2")
	h.after("delete from friends")
}

// TestFaultDuplicates: EctoSync puts a row into a list again for an event that
// comes twice, and for one of a row that the list was loaded with.
func TestFaultDuplicates(t *testing.T) {
	q := rowsync.Select{With: []string{"Comments", "Tags", "HotTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)), rowsync.WatchModel[Person]())
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
		db.exec(`insert into posts (title) values ('one'); insert into comments (post_id, body) values (1, 'hi');
			insert into tags values ('z', 'zebra'); insert into posts_tags values (1, 'z')`)
		return rowsync.LoadAll[Post](ctx, client, q)
	}, rowsync.With(q.With...))
	if err != nil {
		t.Fatal(err)
	}
	events := drained(t, db, sub)
	if len(events) < 4 {
		t.Errorf("events %v, want those of all that was inserted", events)
	}
	for range 2 {
		for _, ev := range events {
			if posts, err = rowsync.Sync(t.Context(), sub, posts, ev); err != nil {
				t.Fatal(err)
			}
			wantFresh(t, client, q, posts)
		}
	}
	// A second way to one row: it is told once, and held once.
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp).Key(1), rowsync.On[Post](rowsync.Updated)); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'uno'")
	events = drained(t, db, sub)
	if len(events) != 1 {
		t.Errorf("events %v, want one", events)
	}
	if posts, err = rowsync.Sync(t.Context(), sub, posts, events[0]); err != nil {
		t.Fatal(err)
	}
	wantFresh(t, client, q, posts)
}
