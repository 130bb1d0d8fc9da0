package rowsync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

type noTable struct {
	ID int64 `db:"id"`
}

type noKey struct {
	_  struct{} `rowsync:"table=keyless"`
	ID int64    `db:"id"`
}

type wrongColumn struct {
	_     struct{} `rowsync:"table=people"`
	ID    int64    `db:"id"`
	Title string   `db:"title"`
}

type wrongWhere struct {
	_     struct{} `rowsync:"table=people"`
	ID    int64    `db:"id"`
	Posts []*Post  `db:"-" rowsync:"has_many,key=author_id,where=tilte = 'x'"`
}

type wrongJoin struct {
	_    struct{} `rowsync:"table=posts"`
	ID   int64    `db:"id"`
	Tags []*Tag   `db:"-" rowsync:"many_to_many=posts_labels,key=post_id,ref=tag_id"`
}

type wrongJoinColumn struct {
	_    struct{} `rowsync:"table=posts"`
	ID   int64    `db:"id"`
	Tags []*Tag   `db:"-" rowsync:"many_to_many=posts_tags,key=post,ref=tag_id"`
}

type notAModel struct{ Name string }

// TestOpenNamesEveryMistake: each invalid option, model or table gets an error
// of its own that says what to do, all of them at once, and nothing is installed.
func TestOpenNamesEveryMistake(t *testing.T) {
	ctx := t.Context()
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL+"create table keyless (id bigint);"))
	tests := map[string]struct {
		opts rowsync.Options
		want []string
	}{
		"options out of bounds": {
			rowsync.Options{Buffer: -1, CacheSize: -5, CacheTTL: -time.Second, LoadTimeout: 1, Reloads: -2},
			[]string{"Buffer is -1", "CacheSize is -5", "CacheTTL is -1s", "LoadTimeout is 1ns", "Reloads is -2", "at least"},
		},
		"table that does not exist": {
			watch(rowsync.WatchModel[noTable]()),
			[]string{"table public.no_tables does not exist", "noTable"},
		},
		"table without a primary key": {
			watch(rowsync.WatchModel[noKey]()),
			[]string{"table public.keyless has no primary key", "alter table"},
		},
		"column that the table lacks": {
			watch(rowsync.WatchModel[wrongColumn]()),
			[]string{"wrongColumn", "Title", `no column "title"`, "id, name"},
		},
		"condition that is no SQL": {
			watch(rowsync.WatchModel[wrongWhere](rowsync.With("Posts"))),
			[]string{"wrongWhere", "Posts", "tilte"},
		},
		"join table that does not exist": {
			watch(rowsync.WatchModel[wrongJoin](rowsync.With("Tags"))),
			[]string{"public.posts_labels does not exist", "wrongJoin.Tags"},
		},
		"column that the join table lacks": {
			watch(rowsync.WatchModel[wrongJoinColumn](rowsync.With("Tags"))),
			[]string{"table public.posts_tags", `no column "post"`, "post_id, tag_id"},
		},
		"path that leads nowhere": {
			watch(rowsync.WatchModel[Post](rowsync.With("Author.Cats"))),
			[]string{"Person", "Cats", "FavouriteTags"},
		},
		"type that is no model": {
			watch(rowsync.WatchModel[notAModel]()),
			[]string{"notAModel", "key"},
		},
		"watcher that was not made": {
			watch(nil),
			[]string{"WatchModel"},
		},
		"several at once": {
			watch(rowsync.WatchModel[noTable](), rowsync.WatchModel[noKey](), rowsync.WatchModel[wrongColumn]()),
			[]string{"no_tables", "keyless", "title"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client, err := rowsync.Open(ctx, db, &test.opts)
			if err == nil {
				client.Close()
				t.Fatal("Open did not fail")
			}
			wantAll(t, err, test.want...)
		})
	}
	var installed bool
	err := db.QueryRow(ctx, "select exists (select from pg_namespace where nspname = 'rowsync') or exists (select from pg_trigger where not tgisinternal)").Scan(&installed)
	if err != nil || installed {
		t.Fatalf("something was installed by an Open that failed (error: %v)", err)
	}
	if _, err := rowsync.Open(ctx, nil, nil); err == nil {
		t.Fatal("Open without a pool did not fail")
	}
}

// TestOpenWithoutWatchers: an empty list of watchers is valid.
func TestOpenWithoutWatchers(t *testing.T) {
	ctx := t.Context()
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL))
	client, err := rowsync.Open(ctx, db, nil)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	client.Close()
	if err := client.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestSubscribeNamesEveryMistake: what cannot be followed is an error that says why.
func TestSubscribeNamesEveryMistake(t *testing.T) {
	ctx := t.Context()
	client, _ := openWorld(ctx, t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	sub := client.NewSubscriber(ctx)
	tests := map[string]struct {
		target rowsync.Target
		want   []string
	}{
		"inserted by primary key":     {rowsync.On[Post](rowsync.Inserted).Key(1), []string{"inserted", "primary key", "does not exist before"}},
		"too many values":             {rowsync.On[Post](rowsync.Updated).Key(1, 2), []string{"2 values", "id"}},
		"null key":                    {rowsync.On[Post](rowsync.Updated).Key(nil), []string{"null", "id"}},
		"key of another type":         {rowsync.On[Post](rowsync.Updated).Key(struct{}{}), []string{"id", "struct"}},
		"text for a number":           {rowsync.On[Post](rowsync.Updated).Key("abc"), []string{"id", "abc"}},
		"unknown column":              {rowsync.On[Post](rowsync.Updated).Where("owner", 1), []string{"owner", "author_id"}},
		"column of no association":    {rowsync.On[Post](rowsync.Updated).Where("title", "x"), []string{"title", "not an association column"}},
		"association not watched":     {rowsync.On[Post](rowsync.Updated).Where("author_id", 1), []string{"author_id", "watch"}},
		"model not watched":           {rowsync.On[Person](rowsync.Updated), []string{"Person", "not watched", "WatchModel"}},
		"no model":                    {rowsync.On[notAModel](rowsync.Updated), []string{"notAModel", "key"}},
		"no operation":                {rowsync.On[Post](0), []string{"Inserted, Updated, Deleted"}},
		"operation that names no row": {rowsync.On[Post](rowsync.Truncated), []string{"Inserted, Updated, Deleted"}},
		"empty target":                {rowsync.Target{}, []string{"rowsync.On"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := sub.SubscribeTo(test.target)
			if err == nil {
				t.Fatal("SubscribeTo did not fail")
			}
			wantAll(t, err, test.want...)
		})
	}
	values := map[string]struct {
		value any
		paths []string
		want  []string
	}{
		"nil":               {nil, nil, []string{"nil"}},
		"number":            {42, nil, []string{"int", "struct"}},
		"model not watched": {&Person{ID: 1}, nil, []string{"people", "not watched"}},
		"path not watched":  {&Post{ID: 1}, []string{"Tags"}, []string{"not watched", "WatchModel"}},
		"path to nowhere":   {&Post{ID: 1}, []string{"Labels"}, []string{"Labels", "Tags"}},
	}
	for name, test := range values {
		t.Run(name, func(t *testing.T) {
			_, err := sub.Subscribe(test.value, rowsync.With(test.paths...))
			if err == nil {
				t.Fatal("Subscribe did not fail")
			}
			wantAll(t, err, test.want...)
		})
	}
}

// TestClosed: everything that needs something closed says so.
func TestClosed(t *testing.T) {
	ctx := t.Context()
	client, _ := openWorld(ctx, t, rowsync.WatchModel[Post]())
	sub := client.NewSubscriber(ctx)
	sub.Close()
	sub.Close()
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.Updated)); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("SubscribeTo: %v", err)
	}
	if _, err := sub.Subscribe(&Post{ID: 1}); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
	for range sub.Events(ctx) {
		t.Error("a closed Subscriber yielded")
	}
	live, err := rowsync.Query[Post](ctx, client, rowsync.Select{})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	for range live.Changes(ctx) { // ends by itself
	}
	if _, err := rowsync.Query[Post](ctx, client, rowsync.Select{}); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("Query: %v", err)
	}
	if err := client.NewSubscriber(ctx).SubscribeTo(rowsync.On[Post](rowsync.Updated)); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("SubscribeTo: %v", err)
	}
}

func watch(ws ...rowsync.Watcher) rowsync.Options { return rowsync.Options{Watchers: ws} }

func wantAll(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error does not say %q:\n%v", p, err)
		}
	}
}

// openWorld opens a Client on a fresh world.
func openWorld(ctx context.Context, t testing.TB, ws ...rowsync.Watcher) (*rowsync.Client, *database) {
	t.Helper()
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL))
	client, err := rowsync.Open(ctx, db, &rowsync.Options{Watchers: ws})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, &database{db, t}
}
