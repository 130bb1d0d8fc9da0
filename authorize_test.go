package rowsync_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestAuthorizeAltersNothing: what a load function returned, what the function
// is shown and what others hold are not altered.
func TestAuthorizeAltersNothing(t *testing.T) {
	paths := rowsync.With("Author", "Comments", "Tags")
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths))
	db.exec(`insert into people (name) values ('x');
		insert into posts (title, author_id) values ('one', 1), ('x', 1);
		insert into comments (post_id, body) values (1, 'x'), (1, 'hi'), (2, 'ho');
		insert into tags values ('n', 'nut'), ('x', 'x');
		insert into posts_tags values (1, 'n'), (1, 'x')`)
	settle(t, client, db)
	meddler := rowsync.Authorize(func(ctx context.Context, a rowsync.Access) (bool, error) {
		if p, ok := a.Row.(*Post); ok {
			if p.Author != nil || p.Comments != nil || p.Tags != nil {
				t.Errorf("asked about a row with associations: %s", show(p))
			}
		}
		yes, err := noSecrets(ctx, a)
		switch row := a.Row.(type) { // it must not, but does no harm to others
		case *Post:
			row.Title = "altered"
		case *Comment:
			row.Body = "altered"
		case *Tag:
			row.Name = "altered"
		}
		return yes, err
	})
	everyone, sub := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context(), meddler)
	var loaded kept
	load := func(ctx context.Context) ([]Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{}, paths)
		out := []Post{}
		for _, p := range posts {
			out = append(out, *p)
		}
		loaded = keep(out)
		return out, err
	}
	theirs, err := rowsync.Load(t.Context(), everyone, load, paths)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := rowsync.Load(t.Context(), sub, load, paths)
	if err != nil {
		t.Fatal(err)
	}
	loaded.check(t, "what the load function returned")
	nut := []*Tag{{ID: "n", Name: "nut"}}
	one := int64(1)
	want(t, mine, []Post{{ID: 1, Title: "one", AuthorID: &one, Comments: []Comment{{ID: 2, PostID: 1, Body: "hi"}}, Tags: nut}})
	pruned, err := rowsync.LoadAll[Post](t.Context(), client, rowsync.Select{}, paths, meddler)
	if err != nil {
		t.Fatal(err)
	}
	want(t, []Post{*pruned[0]}, mine)
	// A row that arrives comes from the cache, with its associations, for both.
	db.exec("update posts set title = 'two' where id = 2")
	mine, theirs = synced(t, sub, mine, 1), synced(t, everyone, theirs, 1)
	held := keep(theirs)
	db.exec("update comments set body = 'x' where id = 3")
	mine = synced(t, sub, mine, 1)
	held.check(t, "what another Subscriber holds")
	want(t, mine[1], Post{ID: 2, Title: "two", AuthorID: &one, Comments: []Comment{}, Tags: []*Tag{}})
	want(t, theirs[1], Post{ID: 2, Title: "two", AuthorID: &one, Author: &Person{ID: 1, Name: "x"}, Comments: []Comment{{ID: 3, PostID: 2, Body: "ho"}}, Tags: []*Tag{}})
}

// TestAuthorizeReset: a Reset by hand reaches its Subscriber alone, and what was
// read before is not used after it.
func TestAuthorizeReset(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one')")
	settle(t, client, db)
	sub, other := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context())
	for _, s := range []*rowsync.Subscriber{sub, other} {
		if err := s.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
	}
	db.exec("insert into posts (title) values ('two')")
	get := func(ev rowsync.Event) {
		t.Helper()
		if _, err := rowsync.Get[Post](t.Context(), other, ev); err != nil {
			t.Fatal(err)
		}
	}
	get(next(t, other))
	sub.Reset("a new role")
	ev := next(t, sub)
	if ev.Reset == nil || ev.Reset.Reason != "a new role" || ev.Reset.Table != nil {
		t.Fatalf("told %s, want the Reset in place of what waited", ev)
	}
	if _, err := rowsync.Sync(t.Context(), sub, []*Post{}, ev); !errors.Is(err, rowsync.ErrReset) {
		t.Errorf("Sync of it: %v", err)
	}
	if _, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
	}); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'uno' where id = 1")
	if ev := next(t, other); ev.Reset != nil || ev.Op != rowsync.Updated {
		t.Errorf("another Subscriber is told %s", ev)
	}
	if ev := next(t, sub); ev.Reset != nil || ev.Op != rowsync.Updated {
		t.Errorf("told %s after the Reset", ev)
	}
}

// TestAuthorizeLoadFails: where the row of an event cannot be read, so that
// nobody knows whether it may be told, a Reset comes in its place.
func TestAuthorizeLoadFails(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("alter table posts rename title to headline")
	db.exec("insert into posts (headline) values ('one')")
	ev := next(t, sub)
	if ev.Reset == nil || ev.Reset.Err == nil {
		t.Fatalf("told %s, want a Reset with the error", ev)
	}
	db.exec("alter table posts rename headline to title")
	db.exec("insert into posts (title) values ('two')")
	if ev := next(t, sub); ev.Reset != nil || ev.Op != rowsync.Inserted {
		t.Errorf("told %s afterwards", ev)
	}
}

// TestAuthorizeContext: a function that says no because its context has ended
// takes nothing away: an event is not lost, and a value stays as it is.
func TestAuthorizeContext(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one')")
	settle(t, client, db)
	ctx, cancel := context.WithCancel(t.Context())
	giveUp := cancel
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(func(ctx context.Context, _ rowsync.Access) (bool, error) {
		giveUp() // the caller gives up while the function asks somebody
		return ctx.Err() == nil, ctx.Err()
	}))
	everyone := client.NewSubscriber(t.Context())
	for _, s := range []*rowsync.Subscriber{sub, everyone} {
		if err := s.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
	}
	held := []*Post{{ID: 1, Title: "one"}}
	if _, err := sub.Subscribe(held); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'two'")
	for ev, err := range sub.Events(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("told %s, %v by Events whose context has ended", ev, err)
		}
	}
	if ev := next(t, sub); ev.Reset == nil {
		t.Errorf("told %s, want a Reset in place of the event that was not told", ev)
	}
	ev := next(t, everyone)
	again, err := rowsync.Sync(ctx, sub, held, ev)
	if !errors.Is(err, context.Canceled) || show(again) != show(held) {
		t.Errorf("Sync whose context has ended: %s, %v", show(again), err)
	}
	later, cancelLater := context.WithCancel(t.Context())
	defer cancelLater()
	giveUp = cancelLater
	if again, err = rowsync.Sync(later, sub, held, ev); !errors.Is(err, context.Canceled) || show(again) != show(held) {
		t.Errorf("Sync whose context ends meanwhile: %s, %v", show(again), err)
	}
}

// TestAuthorizeUnsubscribe: what was hidden comes back no more once its value is
// not followed, and is held again when it is subscribed to.
func TestAuthorizeUnsubscribe(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	one, two := &Post{ID: 1, Title: "one"}, &Post{ID: 2, Title: "two"}
	if _, err := sub.Subscribe([]*Post{one, two}); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'x' where id = 1")
	rest := synced(t, sub, []*Post{one, two}, 1)
	want(t, rest, []*Post{two})
	if err := sub.Unsubscribe(rest); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'one' where id = 1")
	if _, err := sub.Subscribe([]*Post{one}); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'uno' where id = 1")
	got := synced(t, sub, []*Post{one}, 1)
	want(t, got, []*Post{{ID: 1, Title: "uno"}})
}

// TestAuthorizeThrough: of a through association only the rows at its end are
// asked about. A change on its way is told as far as the value needs it, though
// the row there may not be seen.
func TestAuthorizeThrough(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("AllTags")))
	db.exec(`insert into people (name) values ('ada'); insert into posts (title, author_id) values ('x', 1);
		insert into tags values ('n', 'nut'), ('x', 'x'); insert into posts_tags values (1, 'n'), (1, 'x')`)
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	people, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Person, error) {
		return rowsync.LoadAll[Person](ctx, client, rowsync.Select{With: []string{"AllTags"}})
	}, rowsync.With("AllTags"))
	if err != nil {
		t.Fatal(err)
	}
	ada := func(tags ...*Tag) []*Person {
		return []*Person{{ID: 1, Name: "ada", AllTags: append([]*Tag{}, tags...)}}
	}
	want(t, people, ada(&Tag{ID: "n", Name: "nut"}))
	db.exec("update posts set author_id = null")
	people = synced(t, sub, people, 1)
	want(t, people, ada())
	db.exec("update posts set author_id = 1; update tags set name = 'y' where id = 'x'")
	want(t, synced(t, sub, people, 2), ada(&Tag{ID: "n", Name: "nut"}, &Tag{ID: "x", Name: "y"}))
}

// TestAuthorizeWhileLoading: a row that is hidden after it was loaded, and before
// what was loaded is followed row by row, is told to be gone.
func TestAuthorizeWhileLoading(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	var meanwhile rowsync.Event
	posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{})
		db.exec("update posts set title = 'x'")
		meanwhile = next(t, sub)
		return posts, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if posts, err = rowsync.Sync(t.Context(), sub, posts, meanwhile); err != nil || len(posts) != 0 {
		t.Errorf("holds %s, %v", show(posts), err)
	}
}

// TestAuthorizeCost: rows that are hidden at the root of a Live are not read
// again when others change.
func TestAuthorizeCost(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) select 'x' from generate_series(1, 100); insert into posts (title) values ('one')")
	settle(t, client, db)
	live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{With: []string{"Comments"}}, rowsync.Authorize(noSecrets))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	before := client.Stats()
	db.exec("update posts set title = 'two' where title = 'one'")
	await(t, live, func(posts []*Post, _ error) bool { return len(posts) == 1 && posts[0].Title == "two" })
	after := client.Stats()
	if statements, rows := after.Statements-before.Statements, after.Rows-before.Rows; statements != 2 || rows != 1 {
		t.Errorf("one change took %d statements, which read %d rows: want 2, the keys and the row", statements, rows)
	}
}

// TestAuthorizeLinked: a linked row that could not be seen, and so was not held,
// comes when it can, and goes when it cannot, with a condition and without.
func TestAuthorizeLinked(t *testing.T) {
	for _, path := range []string{"Tags", "HotTags"} {
		t.Run(path, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(path)), rowsync.WatchModel[Person]())
			db.exec(`insert into posts (title) values ('one'); insert into tags values ('n', 'nut'), ('x', 'x');
				insert into posts_tags values (1, 'n'), (1, 'x')`)
			settle(t, client, db)
			sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
			posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
				return rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{path}})
			}, rowsync.With(path))
			if err != nil {
				t.Fatal(err)
			}
			holds := func(want int) {
				t.Helper()
				if n := len(posts[0].Tags) + len(posts[0].HotTags); n != want {
					t.Errorf("holds %s, want %d tags", show(posts), want)
				}
			}
			holds(1)
			db.exec("update tags set name = 'y' where id = 'x'")
			posts = synced(t, sub, posts, 1)
			holds(2)
			db.exec("update tags set name = 'x' where id = 'n'")
			posts = synced(t, sub, posts, 1)
			holds(1)
		})
	}
}
