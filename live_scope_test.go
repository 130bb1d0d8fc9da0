package rowsync_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// TestLiveSharesByScope: a value is shared within a scope and not across scopes,
// and never if a function decides who may see what.
func TestLiveSharesByScope(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	scope := func(name string) rowsync.LiveOption {
		return rowsync.InScope(rowsync.Scope{Name: name, Enter: func(context.Context, pgx.Tx) error { return nil }})
	}
	authorized := rowsync.Authorize(func(context.Context, rowsync.Access) (bool, error) { return true, nil })
	open := func(opts ...rowsync.LiveOption) *rowsync.Live[[]*Post] {
		live, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(live.Close)
		return live
	}
	for name, test := range map[string]struct {
		x, y   []rowsync.LiveOption
		shared bool
	}{
		"no scope":     {nil, nil, true},
		"one scope":    {[]rowsync.LiveOption{scope("a")}, []rowsync.LiveOption{scope("a")}, true},
		"two scopes":   {[]rowsync.LiveOption{scope("a")}, []rowsync.LiveOption{scope("b")}, false},
		"one without":  {[]rowsync.LiveOption{scope("a")}, nil, false},
		"one function": {[]rowsync.LiveOption{authorized}, []rowsync.LiveOption{authorized}, false},
	} {
		if shared := rowsync.OneValue(open(test.x...), open(test.y...)); shared != test.shared {
			t.Errorf("%s: shared %v", name, shared)
		}
	}
}

// TestLiveLimitOfHidden: a window is not filled up for rows that are hidden in it,
// and shows them when they may be seen.
func TestLiveLimitOfHidden(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('a'), ('b'), ('c')")
	live, err := rowsync.Query[Person](t.Context(), client, rowsync.Select{OrderBy: "name", Limit: 2},
		rowsync.Authorize(func(_ context.Context, a rowsync.Access) (bool, error) {
			p, ok := a.Row.(*Person)
			return ok && p.Name != "a", nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if got := names(live.Value()); got != "b" {
		t.Errorf("loaded %q", got)
	}
	for _, step := range []struct{ sql, want string }{
		{"update people set name = 'aa' where name = 'c'", "aa"},
		{"update people set name = 'ab' where name = 'a'", "aa ab"},
		{"update people set name = 'a' where name = 'aa'", "ab"},
		{"delete from people where name = 'a'", "ab b"},
	} {
		db.exec(step.sql)
		await(t, live, func(p []*Person, _ error) bool { return names(p) == step.want })
	}
}
