package rowsync_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rowsync/rowsync"
)

// The rows B1 to B8: what is watched and who follows what.

// TestB01WatchersWithAssociations: every model and join table on the way is
// watched, with the columns that are needed, and labels have a prefix.
func TestB01WatchersWithAssociations(t *testing.T) {
	blog := rowsync.Watchers{
		rowsync.WatchModel[Post](rowsync.With("Tags", "Author.FavouriteTags"), rowsync.Extra("title"), rowsync.Labelled("blog.")),
		rowsync.WatchModel[Tag](rowsync.With("Posts"), rowsync.Labelled("blog.")),
	}
	client, db := openWorld(t.Context(), t, rowsync.Watchers{blog, rowsync.Watchers{rowsync.WatchModel[Comment]()}})
	labels := map[string][]string{}
	for _, w := range client.Watchers() {
		if w.Label != "" {
			labels[w.Label] = append(w.Key, w.ExtraColumns...)
		}
	}
	for label, columns := range map[string][]string{
		"blog.posts":          {"id", "title", "author_id"},
		"blog.people":         {"id"},
		"blog.tags":           {"id"},
		"blog.posts_tags":     {"post_id", "tag_id"},
		"blog.favourite_tags": {"person_id", "tag_id"}, // it has no primary key
	} {
		for _, c := range columns {
			if !slices.Contains(labels[label], c) {
				t.Errorf("watcher %s has the columns %v, without %s", label, labels[label], c)
			}
		}
		delete(labels, label)
	}
	if len(labels) > 0 {
		t.Errorf("further labels: %v", labels)
	}
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.Label("blog.posts_tags").Where("tag_id", "go")); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into tags values ('go', 'Go'), ('sql', 'SQL')")
	db.exec("insert into posts (title) values ('one')")
	db.exec("insert into posts_tags values (1, 'sql'), (1, 'go')")
	ev := next(t, sub)
	if tag, _ := ev.Value("tag_id"); ev.Label != "blog.posts_tags" || ev.Op != rowsync.Inserted || tag.String() != "go" {
		t.Errorf("told %s, want the insert of the pair 1, go", ev)
	}
}

// TestB02Start: a Client starts with a database, watchers and bounds of its
// cache, and stops cleanly with everything that follows.
func TestB02Start(t *testing.T) {
	_, db := openWorld(t.Context(), t)
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers:  []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Tags"))},
		CacheSize: 100, Buffer: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{With: []string{"Tags"}})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	for ev, err := range sub.Events(t.Context()) {
		t.Errorf("a closed Client's Subscriber yields %s, %v", ev, err)
	}
	for range live.Changes(t.Context()) { // yields what there is, and ends
	}
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err == nil {
		t.Error("a Subscriber of a closed Client can follow")
	}
	select {
	case <-client.Done():
	default:
		t.Error("capture runs after Close")
	}
}

// TestB03SubscribeModel: inserted, updated and deleted of all rows.
func TestB03SubscribeModel(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into posts (title) values ('one')")
	var posts []*Post
	posts = synced(t, sub, posts, 1)
	want(t, posts, []*Post{{ID: 1, Title: "one"}})
	db.exec("update posts set title = 'two'")
	posts = synced(t, sub, posts, 1)
	want(t, posts, []*Post{{ID: 1, Title: "two"}})
	db.exec("delete from posts")
	want(t, synced(t, sub, posts, 1), []*Post{})
}

// TestB04SubscribeRows: updated and deleted of these rows, and with Inserts the
// model's inserts; it returns what is followed; twice is once.
func TestB04SubscribeRows(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two'), ('three')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	posts := []*Post{{ID: 1, Title: "one"}, {ID: 2, Title: "two"}}
	for range 2 {
		followed, err := sub.Subscribe(posts)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, f := range followed {
			said = append(said, f.String())
		}
		slices.Sort(said)
		if wanted := []string{
			"inserted|updated|deleted of public.posts where [id] = [1]",
			"inserted|updated|deleted of public.posts where [id] = [2]",
		}; !slices.Equal(said, wanted) {
			t.Errorf("followed %q, want %q", said, wanted)
		}
	}
	db.exec("insert into posts (title) values ('four')") // not followed
	db.exec("update posts set title = upper(title)")     // two of four
	posts = synced(t, sub, posts, 2)
	want(t, posts, []*Post{{ID: 1, Title: "ONE"}, {ID: 2, Title: "TWO"}})

	followed, err := sub.Subscribe(posts, rowsync.Inserts())
	if err != nil {
		t.Fatal(err)
	}
	if last := followed[len(followed)-1].String(); last != "inserted of public.posts" {
		t.Errorf("with Inserts the last that is followed is %q", last)
	}
	db.exec("insert into posts (title) values ('five')")
	posts = synced(t, sub, posts, 1)
	want(t, posts, []*Post{{ID: 1, Title: "ONE"}, {ID: 2, Title: "TWO"}, {ID: 5, Title: "five"}})
	db.exec("delete from posts where id in (2, 5)") // what came in is followed
	want(t, synced(t, sub, posts, 2), []*Post{{ID: 1, Title: "ONE"}})
}

// TestB05SubscribeAssociations: rows that are there and rows that may join, at
// any depth, also where nothing is there or nothing was loaded.
func TestB05SubscribeAssociations(t *testing.T) {
	paths := rowsync.With("Comments", "Tags.Posts", "Author.FavouriteTags")
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths))
	db.exec("insert into posts (title) values ('one'), ('two')")
	db.exec("insert into tags values ('go', 'Go')")
	db.exec("insert into people (name) values ('ada')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	post := &Post{ID: 1, Title: "one", Tags: []*Tag{}} // Comments were not loaded
	if _, err := sub.Subscribe(post, paths); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into comments (post_id, body) values (2, 'elsewhere'), (1, 'here')")
	post = synced(t, sub, post, 1)
	want(t, post.Comments, []Comment{{ID: 2, PostID: 1, Body: "here"}})
	db.exec("insert into posts_tags values (1, 'go')")
	post = synced(t, sub, post, 1)
	want(t, post.Tags[0].Posts, []*Post{{ID: 1, Title: "one"}})
	db.exec("insert into posts_tags values (2, 'go')") // of the tag that has come
	post = synced(t, sub, post, 1)
	want(t, post.Tags[0].Posts, []*Post{{ID: 1, Title: "one"}, {ID: 2, Title: "two"}})
	db.exec("update posts set author_id = 1 where id = 1")
	post = synced(t, sub, post, 1)
	want(t, post.Author, &Person{ID: 1, Name: "ada", FavouriteTags: []*Tag{}})
	db.exec("insert into favourite_tags values (1, 'go')")
	post = synced(t, sub, post, 1)
	want(t, post.Author.FavouriteTags, []*Tag{{ID: "go", Name: "Go"}})
}

// TestB06FollowArrivals: what arrives is followed with its associations, what
// leaves is not followed any more.
func TestB06FollowArrivals(t *testing.T) {
	paths := rowsync.With("Tags.Posts")
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	db.exec("insert into tags values ('go', 'Go')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	post := &Post{ID: 1, Title: "one"}
	if _, err := sub.Subscribe(post, paths); err != nil {
		t.Fatal(err)
	}
	tag, two := Tag{ID: "go"}, Post{ID: 2}
	follows := func(what any, wanted bool) {
		t.Helper()
		if is, err := sub.Subscribed(what); err != nil || is != wanted {
			t.Errorf("Subscribed(%+v) is %v, %v; want %v", what, is, err, wanted)
		}
	}
	follows(tag, false)
	db.exec("insert into posts_tags values (2, 'go'), (1, 'go')")
	post = synced(t, sub, post, 1)
	follows(tag, true)
	follows(&two, true)
	db.exec("delete from posts_tags where post_id = 1")
	post = synced(t, sub, post, 1)
	follows(tag, false)
	follows(&two, false)
	db.exec("update tags set name = 'unheard'")
	db.exec("update posts set title = 'heard' where id = 1")
	want(t, synced(t, sub, post, 1), &Post{ID: 1, Title: "heard", Tags: []*Tag{}})
}

// TestB07WhoFollows: whether a Subscriber follows something, and who does.
func TestB07WhoFollows(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments", "Tags")))
	db.exec("insert into posts (title) values ('one'), ('two')")
	rows := client.NewSubscriber(t.Context())
	if _, err := rows.Subscribe([]Post{{ID: 1}}, rowsync.With("Comments")); err != nil {
		t.Fatal(err)
	}
	whole, inserts := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context())
	all, key := rowsync.On[Post](rowsync.AnyOp), rowsync.On[Post](rowsync.Updated).Key(2)
	if err := whole.SubscribeTo(all, key); err != nil {
		t.Fatal(err)
	}
	if err := inserts.SubscribeTo(all.Only(rowsync.Inserted)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		what any
		want []*rowsync.Subscriber
	}{
		{"held row", Post{ID: 1}, []*rowsync.Subscriber{rows, whole}},
		{"other row", &Post{ID: 2}, []*rowsync.Subscriber{whole}},
		{"comment that may join", Comment{ID: 77, PostID: 1}, []*rowsync.Subscriber{rows}},
		{"comment elsewhere", Comment{ID: 77, PostID: 2}, nil},
		{"all", all, []*rowsync.Subscriber{whole}},
		{"inserts", all.Only(rowsync.Inserted), []*rowsync.Subscriber{whole, inserts}},
		{"key", key, []*rowsync.Subscriber{whole}},
	} {
		followed, err := client.Subscriptions(c.what)
		if err != nil {
			t.Fatal(err)
		}
		if len(followed) != len(c.want) {
			t.Errorf("%s: %d follow, want %d", c.name, len(followed), len(c.want))
		}
		for _, sub := range []*rowsync.Subscriber{rows, whole, inserts} {
			if is, err := sub.Subscribed(c.what); err != nil || is != slices.Contains(c.want, sub) {
				t.Errorf("%s: Subscribed is %v, %v", c.name, is, err)
			}
		}
		for _, f := range followed {
			if f.Subscriber == rows && c.name == "held row" && !slices.Equal(f.With, []string{"Comments"}) {
				t.Errorf("held row: followed with %v, want Comments", f.With)
			}
		}
	}
	live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if followed, err := client.Subscriptions(Post{ID: 3}); err != nil || len(followed) != 2 || followed[0].Subscriber != nil && followed[1].Subscriber != nil {
		t.Errorf("with a Live %v follow, %v", followed, err)
	}
	list := []Post{{ID: 1}, {ID: 2}}
	if is, err := rows.Subscribed(list); err != nil || is {
		t.Errorf("a list of which one row is followed: %v, %v", is, err)
	}
	if _, err := rows.Subscribed("text"); err == nil {
		t.Error("no error for a text")
	}
}

// TestB08Unsubscribe: a row, a list of rows with their associations, a target.
func TestB08Unsubscribe(t *testing.T) {
	paths := rowsync.With("Comments", "Tags")
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths))
	db.exec("insert into posts (title) values ('one'), ('two')")
	db.exec("insert into tags values ('go', 'Go'), ('sql', 'SQL')")
	db.exec("insert into posts_tags values (1, 'go'), (1, 'sql'), (2, 'go')")
	sub := client.NewSubscriber(t.Context())
	posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: paths})
	}, paths)
	if err != nil {
		t.Fatal(err)
	}
	follows := func(wanted bool, rows ...any) {
		t.Helper()
		for _, row := range rows {
			if is, err := sub.Subscribed(row); err != nil || is != wanted {
				t.Errorf("Subscribed(%+v) is %v, %v; want %v", row, is, err, wanted)
			}
		}
	}
	follows(true, posts[0], posts[1], Tag{ID: "go"}, Tag{ID: "sql"}, Comment{PostID: 1}, Comment{PostID: 2})
	if err := sub.Unsubscribe(posts[0]); err != nil {
		t.Fatal(err)
	}
	follows(false, posts[0], Tag{ID: "sql"}, Comment{PostID: 1})
	follows(true, posts[1], Tag{ID: "go"}, Comment{PostID: 2}) // the other post needs them
	if err := sub.SubscribeTo(rowsync.On[Tag](rowsync.Updated)); err != nil {
		t.Fatal(err)
	}
	if err := sub.Unsubscribe(posts); err != nil { // part of it is not followed any more
		t.Fatal(err)
	}
	follows(false, posts[0], posts[1], Comment{PostID: 2})
	if err := sub.UnsubscribeFrom(rowsync.On[Tag](rowsync.Updated)); err != nil {
		t.Fatal(err)
	}
	follows(false, Tag{ID: "go"})
	if err := sub.Unsubscribe(42); err == nil {
		t.Error("no error for a number")
	}
	// A value may be subscribed again.
	if _, err := sub.Subscribe(posts[1]); err != nil {
		t.Fatal(err)
	}
	follows(true, posts[1])
	follows(false, posts[0], Comment{PostID: 2})
}
