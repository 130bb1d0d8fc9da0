package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
)

// database is a pool whose statements must not fail.
type database struct {
	*pgxpool.Pool
	t testing.TB
}

func (d *database) exec(sql string, args ...any) {
	d.t.Helper()
	if _, err := d.Exec(d.t.Context(), sql, args...); err != nil {
		d.t.Fatal(err)
	}
}

// next returns the next event, which must come soon.
func next(t testing.TB, sub *rowsync.Subscriber) rowsync.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			t.Fatalf("no event came: %v", err)
		}
		return ev
	}
	t.Fatal("the Subscriber is closed")
	return rowsync.Event{}
}

// synced is a value and what Sync makes of it with the events of one statement.
func synced[T any](t *testing.T, sub *rowsync.Subscriber, value T, events int) T {
	t.Helper()
	before := show(value)
	out := value
	for range events {
		ev := next(t, sub)
		again := out
		for range 2 { // an event that comes twice does no harm
			var err error
			if again, err = rowsync.Sync(t.Context(), sub, again, ev); err != nil {
				t.Fatalf("Sync of %s: %v", ev, err)
			}
		}
		out = again
	}
	if now := show(value); now != before {
		t.Errorf("Sync altered its argument:\n%s", difference(now, before))
	}
	return out
}

func want(t *testing.T, got, want any) {
	t.Helper()
	if g, w := show(got), show(want); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// TestB09Table is the table of what Sync returns for which event and value.
func TestB09Table(t *testing.T) {
	paths := rowsync.With("Author", "Comments", "Tags", "HotTags")
	watchers := []rowsync.Watcher{
		rowsync.WatchModel[Post](paths),
		rowsync.WatchModel[Person](rowsync.With("Posts", "TestPosts", "AllTags")),
	}
	const seed = `insert into people (name) values ('ada'), ('bob');
		insert into posts (title, author_id) values ('one', 1), ('two', null);
		insert into tags values ('a', 'apple'), ('z', 'zebra');
		insert into comments (post_id, body) values (1, 'hi');
		insert into posts_tags values (1, 'a');`
	id := func(n int64) *int64 { return &n }
	ada, bob := &Person{ID: 1, Name: "ada"}, &Person{ID: 2, Name: "bob"}
	hi := Comment{ID: 1, PostID: 1, Body: "hi"}
	apple, zebra := &Tag{ID: "a", Name: "apple"}, &Tag{ID: "z", Name: "zebra"}
	one := func(change func(*Post)) *Post {
		p := &Post{ID: 1, Title: "one", AuthorID: id(1), Author: ada, Comments: []Comment{hi}, Tags: []*Tag{apple}, HotTags: []Tag{}}
		change(p)
		return p
	}
	same := func(*Post) {}
	two := &Post{ID: 2, Title: "two", Comments: []Comment{}, Tags: []*Tag{}, HotTags: []Tag{}}
	tests := []struct {
		name   string
		sql    string
		events int
		before []*Post
		after  []*Post
	}{
		{"inserted into an empty list", "insert into posts (title) values ('three')", 1,
			[]*Post{}, []*Post{{ID: 3, Title: "three", Comments: []Comment{}, Tags: []*Tag{}, HotTags: []Tag{}}}},
		{"inserted into a list", "insert into posts (title) values ('three')", 1,
			[]*Post{two}, []*Post{two, {ID: 3, Title: "three", Comments: []Comment{}, Tags: []*Tag{}, HotTags: []Tag{}}}},
		{"comment inserted", "insert into comments (post_id, body) values (2, 'yo')", 1,
			[]*Post{two}, []*Post{{ID: 2, Title: "two", Comments: []Comment{{ID: 2, PostID: 2, Body: "yo"}}, Tags: []*Tag{}, HotTags: []Tag{}}}},
		{"updated, its associations kept", "update posts set title = 'uno' where id = 1", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.Title = "uno" })}},
		{"updated, not held yet", "update posts set title = 'dos' where id = 2", 1,
			[]*Post{one(same)}, []*Post{one(same), {ID: 2, Title: "dos", Comments: []Comment{}, Tags: []*Tag{}, HotTags: []Tag{}}}},
		{"comment updated, not held yet", "update comments set body = 'ho' where id = 1", 1,
			[]*Post{one(func(p *Post) { p.Comments = []Comment{} })},
			[]*Post{one(func(p *Post) { p.Comments = []Comment{{ID: 1, PostID: 1, Body: "ho"}} })}},
		{"comment moved to another post", "update comments set post_id = 2 where id = 1", 1,
			[]*Post{one(same), two},
			[]*Post{one(func(p *Post) { p.Comments = []Comment{} }),
				{ID: 2, Title: "two", Comments: []Comment{{ID: 1, PostID: 2, Body: "hi"}}, Tags: []*Tag{}, HotTags: []Tag{}}}},
		{"moved to another author", "update posts set author_id = 2 where id = 1", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.AuthorID, p.Author = id(2), bob })}},
		{"deleted from a list", "delete from posts where id = 2", 1, []*Post{one(same), two}, []*Post{one(same)}},
		{"comment deleted", "delete from comments where id = 1", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.Comments = []Comment{} })}},
		{"author deleted", "delete from people where id = 1", 2,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.AuthorID, p.Author = nil, nil })}},
		{"tag linked, also where a condition holds", "insert into posts_tags values (1, 'z')", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.Tags, p.HotTags = []*Tag{apple, zebra}, []Tag{*zebra} })}},
		{"tag unlinked", "delete from posts_tags", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.Tags = []*Tag{} })}},
		{"tag exchanged", "update posts_tags set tag_id = 'z'", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) { p.Tags, p.HotTags = []*Tag{zebra}, []Tag{*zebra} })}},
		{"tag enters a condition", "update tags set name = 'nut' where id = 'a'", 1,
			[]*Post{one(same)}, []*Post{one(func(p *Post) {
				p.Tags, p.HotTags = []*Tag{{ID: "a", Name: "nut"}}, []Tag{{ID: "a", Name: "nut"}}
			})}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, watchers...)
			db.exec(seed)
			settle(t, client, db)
			sub := client.NewSubscriber(t.Context())
			if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
				t.Fatal(err)
			}
			if _, err := sub.Subscribe(test.before, paths); err != nil {
				t.Fatal(err)
			}
			db.exec(test.sql)
			want(t, synced(t, sub, test.before, test.events), test.after)
		})
	}
}

// settle waits until the client has heard of everything that was committed.
func settle(t *testing.T, client *rowsync.Client, db *database) {
	t.Helper()
	sub := client.NewSubscriber(t.Context())
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.Inserted | rowsync.Deleted)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into people (id, name) overriding system value values (1000000, 'settle')")
	next(t, sub)
	db.exec("delete from people where id = 1000000")
	for next(t, sub).Op != rowsync.Deleted {
	}
}

// TestSyncSingle: a single value is exchanged, but never taken away; nil
// becomes the row that is inserted; what is no value of a model is returned.
func TestSyncSingle(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into people (name) values ('ada')")
	ada := synced(t, sub, (*Person)(nil), 1)
	want(t, ada, &Person{ID: 1, Name: "ada"})
	db.exec("update people set name = 'eve'")
	ev := next(t, sub)
	for _, sync := range []func() (any, any, error){
		func() (any, any, error) {
			v, err := rowsync.Sync(t.Context(), sub, ada, ev)
			return v, &Person{ID: 1, Name: "eve"}, err
		},
		func() (any, any, error) {
			v, err := rowsync.Sync(t.Context(), sub, *ada, ev)
			return v, Person{ID: 1, Name: "eve"}, err
		},
		func() (any, any, error) {
			v, err := rowsync.Sync(t.Context(), sub, []Person{*ada}, ev)
			return v, []Person{{ID: 1, Name: "eve"}}, err
		},
		func() (any, any, error) { v, err := rowsync.Sync(t.Context(), sub, "text", ev); return v, "text", err },
		func() (any, any, error) { v, err := rowsync.Sync(t.Context(), sub, 42, ev); return v, 42, err },
		func() (any, any, error) {
			v, err := rowsync.Sync[any](t.Context(), sub, nil, ev)
			return v, &Person{ID: 1, Name: "eve"}, err
		},
	} {
		got, expected, err := sync()
		if err != nil {
			t.Error(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(expected) && show(got) != show(expected) {
			t.Errorf("got %v, want %v", got, expected)
		}
	}
	eve, err := rowsync.Sync(t.Context(), sub, ada, ev)
	if err != nil {
		t.Fatal(err)
	}
	db.exec("delete from people")
	want(t, synced(t, sub, eve, 1), &Person{ID: 1, Name: "eve"})
}

// TestSyncReset: a Reset cannot be patched in.
func TestSyncReset(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	sub := client.NewSubscriber(t.Context())
	ada := &Person{ID: 1}
	if _, err := sub.Subscribe(ada); err != nil {
		t.Fatal(err)
	}
	db.exec("truncate people cascade")
	ev := next(t, sub)
	if ev.Reset == nil || ev.Reset.Table == nil || ev.Reset.Table.Name != "people" {
		t.Fatalf("event %s, want a Reset of people", ev)
	}
	if got, err := rowsync.Sync(t.Context(), sub, ada, ev); !errors.Is(err, rowsync.ErrReset) || got != ada {
		t.Fatalf("got %v, %v; want the value and ErrReset", got, err)
	}
}

// TestLoadOnce: however many hold a row, one change of it is one read.
func TestLoadOnce(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Person]())
	db.exec("insert into tags values ('a', 'apple'); insert into posts (title) values ('one'); insert into posts_tags values (1, 'a')")
	settle(t, client, db)
	const n = 200
	subs := make([]*rowsync.Subscriber, n)
	posts := make([][]*Post, n)
	for i := range subs {
		subs[i] = client.NewSubscriber(t.Context())
		var err error
		posts[i], err = rowsync.Load(t.Context(), subs[i], func(ctx context.Context) ([]*Post, error) {
			return rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{"Tags"}})
		}, rowsync.With("Tags"))
		if err != nil {
			t.Fatal(err)
		}
	}
	before := client.Stats()
	db.exec("update tags set name = 'apricot'")
	for i, sub := range subs {
		got, err := rowsync.Sync(t.Context(), sub, posts[i], next(t, sub))
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Tags[0].Name != "apricot" || posts[i][0].Tags[0].Name != "apple" {
			t.Fatalf("got %s, held %s", show(got), show(posts[i]))
		}
	}
	if after := client.Stats(); after.Statements-before.Statements != 1 || after.Rows-before.Rows != 1 {
		t.Fatalf("%d statements read %d rows for one change, want 1 and 1",
			after.Statements-before.Statements, after.Rows-before.Rows)
	}
}
