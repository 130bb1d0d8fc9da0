package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rowsync/rowsync"
)

// The row B15: a subscriber may give a function that decides which rows it sees.

// noSecrets lets everything be seen whose name does not begin with x.
func noSecrets(_ context.Context, a rowsync.Access) (bool, error) {
	name := ""
	switch row := a.Row.(type) {
	case *Person:
		name = row.Name
	case *Post:
		name = row.Title
	case *Tag:
		name = row.Name
	case *Comment:
		name = row.Body
	}
	return !strings.HasPrefix(name, "x"), nil
}

// TestB15Values: a row that may not be seen is not in a value, wherever it would
// be, leaves it when it changes so, and comes back when it changes again.
func TestB15Values(t *testing.T) {
	paths := rowsync.With("Author.FavouriteTags", "Tags", "HotTags", "Comments")
	one := func(change func(*Post)) *Post {
		p := &Post{ID: 1, Title: "one", AuthorID: new(int64)}
		*p.AuthorID = 1
		p.Author = &Person{ID: 1, Name: "ada", FavouriteTags: []*Tag{{ID: "n", Name: "nut"}}}
		p.Tags, p.HotTags = []*Tag{{ID: "n", Name: "nut"}}, []Tag{{ID: "n", Name: "nut"}}
		p.Comments = []Comment{{ID: 1, PostID: 1, Body: "hi"}}
		change(p)
		return p
	}
	tests := []struct {
		name, hide, show string
		hidden           func(*Post) // nil: the post itself is gone
	}{
		{"root", "update posts set title = 'x' where id = 1", "update posts set title = 'one' where id = 1", nil},
		{"belongs to", "update people set name = 'x'", "update people set name = 'ada'", func(p *Post) { p.Author = nil }},
		{"has many", "update comments set body = 'x'", "update comments set body = 'hi'", func(p *Post) { p.Comments = []Comment{} }},
		{"many to many, with a condition and below another", "update tags set name = 'x'", "update tags set name = 'nut'", func(p *Post) {
			p.Tags, p.HotTags, p.Author.FavouriteTags = []*Tag{}, []Tag{}, []*Tag{}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths), rowsync.WatchModel[Person]())
			db.exec(`insert into people (name) values ('ada');
				insert into posts (title, author_id) values ('one', 1);
				insert into tags values ('n', 'nut');
				insert into posts_tags values (1, 'n');
				insert into favourite_tags values (1, 'n');
				insert into comments (post_id, body) values (1, 'hi')`)
			settle(t, client, db)
			all := func(ctx context.Context) ([]*Post, error) {
				return rowsync.LoadAll[Post](ctx, client, rowsync.Select{}, paths)
			}
			before, after := []*Post{one(func(*Post) {})}, []*Post{}
			if test.hidden != nil {
				after = []*Post{one(test.hidden)}
			}
			// Held while it is visible.
			sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
			everyone := client.NewSubscriber(t.Context())
			value, err := rowsync.Load(t.Context(), sub, all, paths)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := rowsync.Load(t.Context(), everyone, all, paths)
			if err != nil {
				t.Fatal(err)
			}
			want(t, value, before)
			db.exec(test.hide)
			whole = synced(t, everyone, whole, 1)
			keptWhole := keep(whole)
			value = synced(t, sub, value, 1)
			want(t, value, after)
			// Loaded while it is hidden.
			late := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
			loaded, err := rowsync.Load(t.Context(), late, all, paths)
			if err != nil {
				t.Fatal(err)
			}
			want(t, loaded, after)
			db.exec(test.show)
			want(t, synced(t, sub, value, 1), before)
			want(t, synced(t, late, loaded, 1), before)
			keptWhole.check(t, "what another Subscriber holds")
		})
	}
}

// TestB15Live: the same for a Live, over a query and over a load function.
func TestB15Live(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	db.exec(`insert into posts (title) values ('one'), ('x'), ('three'); insert into comments (post_id, body) values (1, 'x'), (2, 'hi')`)
	query, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{OrderBy: "id", With: []string{"Comments"}}, rowsync.Authorize(noSecrets))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	follow, err := rowsync.Follow(t.Context(), client, func(ctx context.Context) (map[int64]*Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{"Comments"}})
		byID := map[int64]*Post{}
		for _, p := range posts {
			byID[p.ID] = p
		}
		return byID, err
	}, rowsync.With("Comments"), rowsync.Authorize(noSecrets))
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	titles := func(wanted string) {
		t.Helper()
		await(t, query, func(posts []*Post, _ error) bool {
			var b strings.Builder
			for _, p := range posts {
				fmt.Fprint(&b, p.Title, len(p.Comments), " ")
			}
			return b.String() == wanted
		})
		await(t, follow, func(posts map[int64]*Post, _ error) bool {
			var b strings.Builder
			for id := range int64(10) {
				if p := posts[id]; p != nil {
					fmt.Fprint(&b, p.Title, len(p.Comments), " ")
				}
			}
			return b.String() == wanted
		})
	}
	titles("one0 three0 ")
	db.exec("update posts set title = 'two' where id = 2")
	titles("one0 two1 three0 ")
	db.exec("update posts set title = 'x' where id in (1, 2)")
	titles("three0 ")
	db.exec("update comments set body = 'seen' where id = 1")
	db.exec("update posts set title = 'one' where id = 1")
	titles("one1 three0 ")
	db.exec("insert into posts (title) values ('x'), ('five')")
	titles("one1 three0 five0 ")
}

// TestB15Single: a single value whose row may not be seen any more stays as it
// is, like one whose row is gone, and nothing of it is refreshed; when the row
// may be seen again, all of it is up to date. What was hidden when it was loaded
// is nil until then.
func TestB15Single(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'); insert into comments (post_id, body) values (1, 'hi')")
	settle(t, client, db)
	load := func(ctx context.Context) (*Post, error) {
		posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{"Comments"}})
		return posts[0], err
	}
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	post, err := rowsync.Load(t.Context(), sub, load, rowsync.With("Comments"))
	if err != nil {
		t.Fatal(err)
	}
	was := show(post)
	db.exec("update posts set title = 'x'")
	post = synced(t, sub, post, 1)
	db.exec("update comments set body = 'ho'") // nobody follows it now
	db.exec("update posts set title = 'xx'")
	if post = synced(t, sub, post, 1); show(post) != was {
		t.Errorf("a value whose row is hidden became %s", show(post))
	}
	late := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	none, err := rowsync.Load(t.Context(), late, load, rowsync.With("Comments"))
	if err != nil || none != nil {
		t.Fatalf("loaded %v, %v, want nil", show(none), err)
	}
	db.exec("update posts set title = 'two'")
	back := &Post{ID: 1, Title: "two", Comments: []Comment{{ID: 1, PostID: 1, Body: "ho"}}}
	want(t, synced(t, sub, post, 1), back)
	want(t, synced(t, late, none, 1), back)
}

type Team struct {
	_      struct{} `rowsync:"table=people"`
	ID     int64    `db:"id"`
	Latest *Entry   `db:"-" rowsync:"has_one,key=author_id,order=title desc"`
}

type Entry struct {
	_        struct{} `rowsync:"table=posts"`
	ID       int64    `db:"id"`
	Title    string   `db:"title"`
	AuthorID *int64   `db:"author_id"`
}

// TestB15HasOne: an association to one row holds the first there is, or nothing
// if that may not be seen; a change of a row that is not held can decide.
func TestB15HasOne(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Team](rowsync.With("Latest")))
	db.exec("insert into people (name) values ('ada'); insert into posts (title, author_id) values ('a', 1), ('z', 1)")
	noZ := func(_ context.Context, a rowsync.Access) (bool, error) {
		e, ok := a.Row.(*Entry)
		return !ok || e.Title != "z", nil
	}
	live, err := rowsync.Query[Team](t.Context(), client, rowsync.Select{With: []string{"Latest"}}, rowsync.Authorize(noZ))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	latest := func(title string) {
		t.Helper()
		await(t, live, func(teams []*Team, _ error) bool {
			return len(teams) == 1 && (teams[0].Latest == nil && title == "" || teams[0].Latest != nil && teams[0].Latest.Title == title)
		})
	}
	latest("")
	db.exec("update posts set title = 'b' where id = 2")
	latest("b")
	db.exec("update posts set title = 'z' where id = 2")
	latest("")
	db.exec("update posts set author_id = null where id = 2")
	latest("a")
	db.exec("update posts set author_id = 1 where id = 2")
	latest("")
	db.exec("delete from posts where id = 2")
	latest("a")
}

// TestB15Events: events of rows that may not be seen are not told; those that a
// value needs say that the row is gone, and no more.
func TestB15Events(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments"), rowsync.Extra("title")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two')")
	settle(t, client, db)
	var deletions atomic.Bool // may they be told
	see := func(ctx context.Context, a rowsync.Access) (bool, error) {
		if a.Row == nil {
			if a.Event == nil || a.Event.Op != rowsync.Deleted {
				t.Errorf("asked about no row and event %v", a.Event)
			}
			return deletions.Load(), nil
		}
		return noSecrets(ctx, a)
	}
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(see))
	held := []*Post{{ID: 1, Title: "one", Comments: []Comment{}}}
	if _, err := sub.Subscribe(held, rowsync.With("Comments")); err != nil {
		t.Fatal(err)
	}
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	say := func(ev rowsync.Event) string {
		title, _ := ev.Value("title")
		return fmt.Sprintf("%s %s %v %s", ev.Op, ev.Table.Name, ev.Key(), title)
	}
	for _, step := range []struct{ sql, told string }{
		{"update posts set title = 'uno' where id = 1", "update posts [1] uno"},
		{"update posts set title = 'x' where id = 2; insert into posts (title) values ('x'), ('y')", "insert posts [4] y"},
		{"update posts set title = 'two' where id = 2", "update posts [2] two"},
		// What a value may hold is told to be gone.
		{"update posts set title = 'x' where id = 1", "delete posts [1] null"},
		{"insert into comments (post_id, body) values (1, 'x'), (1, 'hi')", "delete comments [1] ; insert comments [2] "},
		{"update posts set title = 'one' where id = 1", "update posts [1] one"},
		{"delete from posts where id = 2; delete from comments; delete from posts where id = 1", "delete comments [1] ; delete comments [2] ; delete posts [1] null"},
	} {
		db.exec(step.sql)
		for wanted := range strings.SplitSeq(step.told, "; ") {
			if got := say(next(t, sub)); got != wanted {
				t.Errorf("after %s: told %q, want %q", step.sql, got, wanted)
			}
		}
	}
	deletions.Store(true)
	db.exec("delete from posts where id = 4")
	if got := say(next(t, sub)); got != "delete posts [4] y" {
		t.Errorf("told %q of a deletion that may be seen", got)
	}
}

// TestB15Get: Get gives only what may be seen.
func TestB15Get(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	sub := client.NewSubscriber(t.Context(), rowsync.Authorize(noSecrets))
	everyone := client.NewSubscriber(t.Context())
	for _, s := range []*rowsync.Subscriber{sub, everyone} {
		if err := s.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
	}
	db.exec(`with p as (insert into posts (title) values ('one') returning id)
		insert into comments (post_id, body) select id, body from p, unnest(array['x', 'hi']) body`)
	post, err := rowsync.Get[Post](t.Context(), sub, next(t, sub), "Comments")
	if err != nil {
		t.Fatal(err)
	}
	want(t, post, &Post{ID: 1, Title: "one", Comments: []Comment{{ID: 2, PostID: 1, Body: "hi"}}})
	next(t, everyone)
	db.exec("update posts set title = 'x'")
	if post, err := rowsync.Get[Post](t.Context(), sub, next(t, everyone)); post != nil || err != nil {
		t.Errorf("Get of a row that may not be seen: %v, %v", show(post), err)
	}
}

// TestB15Error: an error of the function counts as no, for this Subscriber alone,
// and is logged.
func TestB15Error(t *testing.T) {
	log := newBook(slog.LevelWarn)
	_, db := openWorld(t.Context(), t)
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Post]()}, Logger: slog.New(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var down atomic.Bool
	down.Store(true)
	failing := rowsync.Authorize(func(context.Context, rowsync.Access) (bool, error) {
		if down.Load() {
			return true, errors.New("the directory is down")
		}
		return true, nil
	})
	db.exec("insert into posts (title) values ('one')")
	mine, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{}, failing)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	theirs, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if n := len(mine.Value()); n != 0 {
		t.Errorf("%d rows are seen while the function fails", n)
	}
	if n := len(theirs.Value()); n != 1 {
		t.Errorf("another's Live holds %d rows", n)
	}
	log.await(t, "authorization function failed", "Post", "the directory is down")
	down.Store(false)
	mine.Reset("the directory is back")
	await(t, mine, func(posts []*Post, err error) bool { return len(posts) == 1 && err == nil })
}
