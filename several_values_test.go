package rowsync_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestSeveralValuesKeepWhatTheyNeed: what leaves one value stays followed for
// another one, also if the values came by SubscribeTo alone.
func TestSeveralValuesKeepWhatTheyNeed(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Person]())
	db.exec("insert into tags values ('a', 'apple')")
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	var first *Post
	list := []*Post{}
	after := func(sql string, events int) {
		t.Helper()
		db.exec(sql)
		for range events {
			ev := next(t, sub)
			var err error
			if first, err = rowsync.Sync(t.Context(), sub, first, ev, rowsync.With("Tags")); err != nil {
				t.Fatal(err)
			}
			if list, err = rowsync.Sync(t.Context(), sub, list, ev, rowsync.With("Tags")); err != nil {
				t.Fatal(err)
			}
		}
	}
	after("insert into posts (title) values ('one')", 1)
	after("insert into posts (title) values ('two')", 1)
	after("insert into posts_tags values (1, 'a'), (2, 'a')", 2)
	after("delete from posts_tags where post_id = 1", 1)
	after("update tags set name = 'nut'", 1)
	wantFresh(t, client, rowsync.Select{With: []string{"Tags"}}, list)
	wantFresh(t, client, rowsync.Select{Where: "id = 1", With: []string{"Tags"}}, []*Post{first})
}

// TestSubscribedRowsAreLeft: rows that a program adds to its value by Subscribe,
// as it does with its own writes, are followed and remembered no longer than
// they are held.
func TestSubscribedRowsAreLeft(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('stays')")
	settle(t, client, db)
	sub, posts := loaded[Post](t, client, rowsync.Select{With: []string{"Tags"}})
	for range 3 {
		var id int64
		add := func(ctx context.Context) error {
			return sub.Writer().QueryRow(ctx, "insert into posts (title) values ('mine') returning id").Scan(&id)
		}
		if err := add(t.Context()); err != nil {
			t.Fatal(err)
		}
		mine := &Post{ID: id, Title: "mine", Tags: []*Tag{}}
		if _, err := sub.Subscribe(mine, rowsync.With("Tags")); err != nil {
			t.Fatal(err)
		}
		posts = append(slices.Clip(posts), mine)
		db.exec("delete from posts where id = $1", id)
		if posts = syncAll(t, db, sub, posts); len(posts) != 1 {
			t.Fatalf("got %s, want one post", show(posts))
		}
		if follows, err := sub.Subscribed(mine); err != nil || follows {
			t.Errorf("the row that is gone is followed: %v, %v", follows, err)
		}
	}
	if follows, err := sub.Subscribed(posts); err != nil || !follows {
		t.Errorf("the row that is held is followed: %v, %v", follows, err)
	}
}
