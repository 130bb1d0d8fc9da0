package rowsync_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// The rows B9, B10, B12 and B16: what Sync and Get return. The table of FEATURES
// is TestB09Table; B11 is in load_once_test.go.

// TestB09Shapes: every shape of value takes in the same events and none of them
// is altered; anything else comes back unchanged.
func TestB09Shapes(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	settle(t, client, db)
	events := client.NewSubscriber(t.Context())
	if err := events.SubscribeTo(rowsync.On[Post](rowsync.AnyOp), rowsync.On[Comment](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	type named []Post
	one := Post{ID: 1, Title: "one", Comments: []Comment{}}
	two := Post{ID: 2, Title: "two", Comments: []Comment{}}
	shapes := []shape{
		newShape(t, client, "struct", one),
		newShape(t, client, "pointer", &one),
		newShape(t, client, "slice of structs", []Post{one, two}),
		newShape(t, client, "slice of pointers", []*Post{&one, &two}),
		newShape(t, client, "slice with a nil", []*Post{nil, &one, &two}),
		newShape(t, client, "type of its own", named{one, two}),
		newShape(t, client, "map of structs", map[int64]Post{1: one, 2: two}),
		newShape(t, client, "map of pointers", map[int64]*Post{1: &one, 2: &two}),
		newShape[any](t, client, "any", []*Post{&one, &two}),
		newShape[any](t, client, "any struct", one),
	}
	for _, sql := range []string{
		"insert into comments (post_id, body) values (1, 'hi')",
		"update posts set title = 'uno' where id = 1",
		"insert into posts (title) values ('three')",
		"delete from posts where id = 2",
	} {
		db.exec(sql)
		ev := next(t, events)
		for _, s := range shapes {
			s.sync(ev)
		}
	}
	hi := []Comment{{ID: 1, PostID: 1, Body: "hi"}}
	uno, three := Post{ID: 1, Title: "uno", Comments: hi}, Post{ID: 3, Title: "three", Comments: []Comment{}}
	for i, expected := range []any{
		uno, &uno, []Post{uno, three}, []*Post{&uno, &three}, []*Post{&uno, &three}, named{uno, three},
		map[int64]Post{1: uno, 3: three}, map[int64]*Post{1: &uno, 3: &three}, []*Post{&uno, &three}, uno,
	} {
		if got, wanted := show(shapes[i].now()), show(expected); got != wanted {
			t.Errorf("%s:\n%s", shapes[i].name, difference(got, wanted))
		}
	}
}

// shape is a value of some type that is held by a Subscriber of its own.
type shape struct {
	name string
	sync func(ev rowsync.Event)
	now  func() any
}

func newShape[T any](t *testing.T, c *rowsync.Client, name string, value T) shape {
	t.Helper()
	sub := c.NewSubscriber(t.Context())
	if _, err := sub.Subscribe(value, rowsync.With("Comments")); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	return shape{
		name: name,
		now:  func() any { return value },
		sync: func(ev rowsync.Event) {
			t.Helper()
			before := keep(value)
			for range 2 {
				next, err := rowsync.Sync(t.Context(), sub, value, ev)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				before.check(t, name)
				value = next
			}
		},
	}
}

// TestB09Others: what holds no rows of a watched model comes back as it is.
func TestB09Others(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into people (name) values ('ada')")
	ev := next(t, sub)
	unchanged(t, sub, ev, 42)
	unchanged(t, sub, ev, "text")
	unchanged(t, sub, ev, []int{1})
	unchanged(t, sub, ev, struct{ ID int64 }{1})
	unchanged(t, sub, ev, []*Post{{ID: 1}})                   // not watched
	unchanged(t, sub, ev, map[string]*Person{"ada": {ID: 7}}) // not keyed by the primary key
	unchanged(t, sub, ev, [1]Person{{ID: 1}})
	nothing, err := rowsync.Sync[any](t.Context(), sub, nil, ev)
	if err != nil {
		t.Fatal(err)
	}
	want(t, nothing, &Person{ID: 1, Name: "ada"})
	other := client.NewSubscriber(t.Context()) // it follows nothing, so nil stays nil
	if v, err := rowsync.Sync[any](t.Context(), other, nil, ev); v != nil || err != nil {
		t.Errorf("nil of one who follows nothing becomes %v, %v", v, err)
	}
}

func unchanged[T any](t *testing.T, sub *rowsync.Subscriber, ev rowsync.Event, value T) {
	t.Helper()
	got, err := rowsync.Sync(t.Context(), sub, value, ev)
	if err != nil {
		t.Errorf("Sync of a %T: %v", value, err)
	}
	want(t, got, value)
}

// TestB09HeldOnly: a list keeps to the rows it holds, if it is to.
func TestB09HeldOnly(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into posts (title) values ('one')")
	posts := synced(t, sub, []*Post{}, 1)
	db.exec("insert into posts (title) values ('two')")
	ev := next(t, sub)
	held, err := rowsync.Sync(t.Context(), sub, posts, ev, rowsync.HeldOnly())
	if err != nil {
		t.Fatal(err)
	}
	want(t, held, []*Post{{ID: 1, Title: "one"}})
	all, err := rowsync.Sync(t.Context(), sub, posts, ev)
	if err != nil {
		t.Fatal(err)
	}
	want(t, all, []*Post{{ID: 1, Title: "one"}, {ID: 2, Title: "two"}})
}

// TestB10Get: the changed row as it is now, with the associations asked for,
// read once for all who ask; nil where there is none.
func TestB10Get(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags", "Comments")))
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into tags values ('go', 'Go')")
	db.exec("with p as (insert into posts (title) values ('one') returning id) insert into comments (post_id, body) select id, 'hi' from p")
	ev := next(t, sub)
	bare, err := rowsync.Get[Post](t.Context(), sub, ev)
	if err != nil {
		t.Fatal(err)
	}
	want(t, bare, &Post{ID: 1, Title: "one"})
	full, err := rowsync.Get[Post](t.Context(), sub, ev, "Comments", "Tags")
	if err != nil {
		t.Fatal(err)
	}
	want(t, full, &Post{ID: 1, Title: "one", Tags: []*Tag{}, Comments: []Comment{{ID: 1, PostID: 1, Body: "hi"}}})
	before := client.Stats().Statements
	for range 100 {
		again, err := rowsync.Get[Post](t.Context(), client.NewSubscriber(t.Context()), ev, "Tags", "Comments")
		if err != nil || again != full {
			t.Fatalf("another gets %v, %v: it is not the one that was read", again, err)
		}
	}
	if n := client.Stats().Statements - before; n != 0 {
		t.Errorf("it was read again, with %d statements", n)
	}

	if err := sub.SubscribeTo(rowsync.On[Tag](rowsync.Updated)); err != nil {
		t.Fatal(err)
	}
	db.exec("update tags set id = 'golang'")
	moved, err := rowsync.Get[Tag](t.Context(), sub, next(t, sub))
	if err != nil {
		t.Fatal(err)
	}
	want(t, moved, &Tag{ID: "golang", Name: "Go"})
	db.exec("delete from posts")
	if gone, err := rowsync.Get[Post](t.Context(), sub, next(t, sub)); gone != nil || err != nil {
		t.Errorf("of a deleted row Get returns %v, %v", gone, err)
	}
	for name, get := range map[string]func() error{
		"model Tag": func() error { _, err := rowsync.Get[Tag](t.Context(), sub, ev); return err },
		`"Nope"`:    func() error { _, err := rowsync.Get[Post](t.Context(), sub, ev, "Nope"); return err },
		"Person":    func() error { _, err := rowsync.Get[Post](t.Context(), sub, ev, "Author"); return err },
		"load the value again": func() error {
			_, err := rowsync.Get[Post](t.Context(), sub, rowsync.Event{Reset: &rowsync.Reset{}})
			if !errors.Is(err, rowsync.ErrReset) {
				t.Errorf("of a Reset the error is %v", err)
			}
			return err
		},
	} {
		if err := get(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
}

// TestB12Preloads: rows that arrive come with the associations asked for, by
// model; by default with those of the subscription and of their siblings.
func TestB12Preloads(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags.Posts", "Comments")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	db.exec("insert into tags values ('go', 'Go'), ('sql', 'SQL')")
	db.exec("insert into posts_tags values (1, 'go'), (2, 'go'), (2, 'sql')")
	load := func(sub *rowsync.Subscriber, opts ...rowsync.SubscribeOption) []*Post {
		t.Helper()
		settle(t, client, db)
		posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
			rows, err := db.Query(ctx, "select * from posts where id = 1")
			if err != nil {
				return nil, err
			}
			posts, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Post])
			if err != nil {
				return nil, err
			}
			return posts, rowsync.Preload(ctx, client, posts, "Tags.Posts", "Comments")
		}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return posts
	}
	one, two := &Post{ID: 1, Title: "one"}, &Post{ID: 2, Title: "two"}
	wanted := []*Post{{
		ID: 1, Title: "one", Comments: []Comment{},
		Tags: []*Tag{{ID: "go", Name: "Go", Posts: []*Post{one, two}}, {ID: "sql", Name: "SQL", Posts: []*Post{one, two}}},
	}}

	// What arrives is loaded with what its siblings have.
	sub := client.NewSubscriber(t.Context())
	posts := load(sub, rowsync.With("Tags.Posts", "Comments"))
	db.exec("insert into posts_tags values (1, 'sql')")
	want(t, synced(t, sub, posts, 1), wanted)

	// The same, named by model when subscribing.
	db.exec("delete from posts_tags where post_id = 1 and tag_id = 'sql'")
	each := client.NewSubscriber(t.Context())
	posts = load(each, rowsync.With("Tags", "Comments"), rowsync.WithModel[Tag]("Posts"))
	db.exec("insert into posts_tags values (1, 'sql')")
	want(t, synced(t, each, posts, 1), wanted)

	// Asked for only now: rows that were there before are filled.
	db.exec("delete from posts_tags where post_id = 1 and tag_id = 'sql'")
	settle(t, client, db)
	late := client.NewSubscriber(t.Context())
	posts, err := rowsync.Load(t.Context(), late, func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{Where: "id = 1", With: []string{"Tags"}})
	}, rowsync.With("Tags"))
	if err != nil {
		t.Fatal(err)
	}
	db.exec("insert into posts_tags values (1, 'sql')")
	ev := next(t, late)
	posts, err = rowsync.Sync(t.Context(), late, posts, ev, rowsync.WithModel[Tag]("Posts"), rowsync.With("Comments"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, posts, wanted)
	// And what they brought is followed.
	db.exec("update posts set title = 'zwei' where id = 2")
	posts = synced(t, late, posts, 1)
	if got := posts[0].Tags[0].Posts[1].Title; got != "zwei" {
		t.Errorf("the title of a post of a tag is %q", got)
	}
	db.exec("insert into comments (post_id, body) values (1, 'hi')")
	want(t, synced(t, late, posts, 1)[0].Comments, []Comment{{ID: 1, PostID: 1, Body: "hi"}})

	if _, err := rowsync.Sync(t.Context(), late, posts, ev, rowsync.WithModel[Tag]("Nope")); err == nil || !strings.Contains(err.Error(), `"Nope"`) {
		t.Errorf("error %v does not name the association that is not there", err)
	}
}

// TestB09TableMore holds the rows of the table of what Sync returns that are
// not about lists of posts, see TestB09Table: nil, a single value, conditions,
// through associations, and a row that is in the value several times.
func TestB09TableMore(t *testing.T) {
	paths := rowsync.With("Posts.Tags", "TestPosts", "AllTags", "FavouriteTags", "Fans.Fans")
	const seed = `insert into people (name) values ('ada'), ('bob');
		insert into posts (title, author_id) values ('test one', 1), ('two', 1), ('test three', 2);
		insert into tags values ('a', 'apple'), ('z', 'zebra');
		insert into posts_tags values (1, 'a'), (2, 'a'), (2, 'z');
		insert into favourite_tags values (1, 'a');
		insert into friends (person_id, friend_id) values (2, 1), (1, 2), (1, 1);`
	for _, test := range []struct {
		name, sql string
		events    int
	}{
		{"row that leaves a condition stays without one", "update posts set title = 'one' where id = 1", 1},
		{"row that enters a condition", "update posts set title = 'test two' where id = 2", 1},
		{"row moved between owners", "update posts set author_id = 2 where id = 1", 1},
		{"row moved in from an owner whom nobody holds", "update posts set author_id = 1 where id = 3", 1},
		{"row in many places", "update tags set name = 'zoo' where id = 'a'", 1},
		{"link that a through association goes by", "insert into posts_tags values (1, 'z')", 1},
		{"unlink of one of two ways of a through association", "delete from posts_tags where post_id = 1", 1},
		{"unlink of the last way of a through association", "delete from posts_tags where tag_id = 'z'", 1},
		{"link re-pointed", "update posts_tags set tag_id = 'z' where post_id = 1", 1},
		{"row on the way of a through association deleted", "delete from posts where id = 2", 2},
		{"self-reference linked", "delete from friends where person_id = 1 and friend_id = 2", 1},
		{"row that refers to itself", "update people set name = 'eve' where id = 1", 1},
		{"target deleted that is in many places", "delete from tags where id = 'a'", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](paths))
			db.exec(seed)
			settle(t, client, db)
			sub := client.NewSubscriber(t.Context())
			fresh := func(ctx context.Context) ([]*Person, error) {
				return rowsync.LoadAll[Person](ctx, client, rowsync.Select{OrderBy: "id", With: paths})
			}
			people, err := rowsync.Load(t.Context(), sub, fresh, paths)
			if err != nil {
				t.Fatal(err)
			}
			before := show(people)
			db.exec(test.sql)
			wanted, err := fresh(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// A statement may touch what is held by several tables: the last event
			// makes the value right, and one before it may do so already.
			for range test.events {
				people = synced(t, sub, people, 1)
			}
			want(t, people, wanted)
			if show(people) == before {
				t.Error("the statement changed nothing that is held")
			}
		})
	}
}
