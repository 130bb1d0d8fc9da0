package rowsync_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// TestLiveSelectMistakes: each mistake in a Select is an error at once, which
// says what to do, from Query and LoadAll alike; nothing is left of it.
func TestLiveSelectMistakes(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Author")))
	for name, test := range map[string]struct {
		q    rowsync.Select
		want []string
	}{
		"negative limit":       {rowsync.Select{Limit: -1}, []string{"Select.Limit is -1", "0 for no limit"}},
		"negative offset":      {rowsync.Select{Offset: -2}, []string{"Select.Offset is -2"}},
		"both":                 {rowsync.Select{Limit: -1, Offset: -2}, []string{"Limit", "Offset"}},
		"unknown column":       {rowsync.Select{Where: "tilte = 'x'"}, []string{"tilte", "public.posts", "title", "Select.Where"}},
		"unknown order":        {rowsync.Select{OrderBy: "tilte"}, []string{"tilte", "public.posts", "title"}},
		"empty order":          {rowsync.Select{OrderBy: " "}, []string{"syntax error", "Select.Where, OrderBy", "order by , t."}},
		"empty condition":      {rowsync.Select{Where: " "}, []string{"syntax error", "where ( )"}},
		"no boolean":           {rowsync.Select{Where: "title"}, []string{"boolean", "where (title )"}},
		"no value of its type": {rowsync.Select{Where: "id = 'x'"}, []string{"bigint", "where (id = 'x' )"}},
		"too few Args":         {rowsync.Select{Where: "id = $1 or id = $2", Args: []any{1}}, []string{"$2", "1 Args"}},
		"too many Args":        {rowsync.Select{Where: "id = $1", Args: []any{1, 2}}, []string{"$1", "2 Args"}},
		"no Args":              {rowsync.Select{Where: "id = $1"}, []string{"$1", "0 Args"}},
		"Args for nothing":     {rowsync.Select{Args: []any{1}}, []string{"$0", "1 Args"}},
		"Arg of another type":  {rowsync.Select{Where: "id = $1", Args: []any{"x"}}, []string{"$1"}},
		"path to nowhere":      {rowsync.Select{With: []string{"Writer"}}, []string{`"Writer"`, "Author"}},
		"path not watched":     {rowsync.Select{With: []string{"Tags"}}, []string{"public.tags", "not watched"}},
	} {
		_, queryErr := rowsync.Query[Post](t.Context(), client, test.q)
		_, loadErr := rowsync.LoadAll[Post](t.Context(), client, test.q)
		for _, err := range []error{queryErr, loadErr} {
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			wantAll(t, err, test.want...)
		}
	}
	if h := rowsync.HoldingsOf(client); h != (rowsync.Holdings{}) {
		t.Errorf("left behind: %+v", h)
	}
}

// TestLiveSelectComment: a comment in the SQL does not swallow what follows.
func TestLiveSelectComment(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('one'), ('two'), ('three')")
	live := query[Post](t, client, rowsync.Select{
		Where: "title <> @not -- the one", Args: []any{pgx.NamedArgs{"not": "one"}}, OrderBy: "title desc -- last first", Limit: 1,
	})
	if posts := live.Value(); len(posts) != 1 || posts[0].Title != "two" {
		t.Errorf("got %s", show(posts))
	}
	db.exec("insert into posts (title) values ('zwei')")
	await(t, live, func(posts []*Post, _ error) bool { return len(posts) == 1 && posts[0].Title == "zwei" })
}

// TestLiveOptionsLoad: what the options name is loaded as well as followed, as
// though Select.With had named it.
func TestLiveOptionsLoad(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Author.Profile", "Comments")))
	db.exec("insert into people (name) values ('ada'); insert into profiles (person_id, bio) values (1, 'first')")
	db.exec("insert into posts (title, author_id) values ('one', 1); insert into comments (post_id, body) values (1, 'hi')")
	options := []rowsync.LiveOption{rowsync.With("Author"), rowsync.WithModel[Person]("Profile")}
	q := rowsync.Select{With: []string{"Comments"}}
	live, err := rowsync.Query[Post](t.Context(), client, q, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	all, err := rowsync.LoadAll[Post](t.Context(), client, q, options...)
	if err != nil {
		t.Fatal(err)
	}
	want(t, live.Value(), all)
	if p := all[0]; p.Author == nil || p.Author.Profile == nil || len(p.Comments) != 1 {
		t.Fatalf("loaded %s", show(p))
	}
	same := query[Post](t, client, rowsync.Select{With: []string{"Author.Profile", "Comments"}})
	if !rowsync.OneValue(live, same) {
		t.Error("the same associations, named in Select.With, are another value")
	}
	db.exec("update profiles set bio = 'second'; insert into posts (title, author_id) values ('two', 1)")
	await(t, live, func(posts []*Post, _ error) bool {
		return len(posts) == 2 && posts[0].Author.Profile.Bio == "second" &&
			posts[1].Author != nil && posts[1].Author.Profile.Bio == "second"
	})
}
