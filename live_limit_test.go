package rowsync_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// names is what a window of people shows.
func names(people []*Person) string {
	out := make([]string, len(people))
	for i, p := range people {
		out[i] = p.Name
	}
	return strings.Join(out, " ")
}

// TestLiveLimitWindow: which rows are in a window, and in what order, is exact
// for whatever happens before it, in it, and beyond it.
func TestLiveLimitWindow(t *testing.T) {
	for _, test := range []struct{ name, sql, first, second string }{
		{"nothing that counts", "update people set name = name", "b d f", "d f h"},
		{"inserted at the top", "insert into people (name) values ('a')", "a b d", "b d f"},
		{"inserted in the middle", "insert into people (name) values ('e')", "b d e", "d e f"},
		{"inserted at the end", "insert into people (name) values ('g')", "b d f", "d f g"},
		{"inserted beyond", "insert into people (name) values ('z')", "b d f", "d f h"},
		{"the first deleted", "delete from people where name = 'b'", "d f h", "f h j"},
		{"one in the middle deleted", "delete from people where name = 'd'", "b f h", "f h j"},
		{"one beyond deleted", "delete from people where name = 'j'", "b d f", "d f h"},
		{"all but one deleted", "delete from people where name <> 'd'", "d", ""},
		{"all deleted", "delete from people", "", ""},
		{"moved within", "update people set name = 'c' where name = 'f'", "b c d", "c d h"},
		{"moved out", "update people set name = 'x' where name = 'd'", "b f h", "f h j"},
		{"moved in", "update people set name = 'c' where name = 'j'", "b c d", "c d f"},
		{"moved across the whole window", "update people set name = 'x' where name = 'b'", "d f h", "f h j"},
		{"exchanged", "update people set name = case name when 'b' then 'j' else 'b' end where name in ('b', 'j')", "b d f", "d f h"},
		{"key changed", "delete from posts where title = 'of d'; update people set id = default where name = 'd'", "b d f", "d f h"},
		{"left the condition", "update people set name = upper(name) where name = 'd'", "b f h", "f h j"},
		{"several in one transaction", "insert into people (name) values ('a'); delete from people where name = 'd'; update people set name = 'c' where name = 'j'", "a b c", "b c f"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Posts")))
			db.exec("insert into people (name) values ('b'), ('d'), ('f'), ('h'), ('j'), ('l')")
			db.exec("insert into posts (title, author_id) select 'of ' || name, id from people")
			q := rowsync.Select{Where: "name ~ $1", Args: []any{"^[a-z]$"}, OrderBy: "name", Limit: 3, With: []string{"Posts"}}
			first := query[Person](t, client, q)
			q.Offset = 1
			second := query[Person](t, client, q)
			if names(first.Value()) != "b d f" || names(second.Value()) != "d f h" {
				t.Fatalf("loaded %q and %q", names(first.Value()), names(second.Value()))
			}
			db.exec(test.sql)
			await(t, first, func(p []*Person, _ error) bool { return names(p) == test.first })
			await(t, second, func(p []*Person, _ error) bool { return names(p) == test.second })
			fresh, err := rowsync.LoadAll[Person](t.Context(), client, q)
			if err != nil {
				t.Fatal(err)
			}
			await(t, second, func(p []*Person, _ error) bool { return show(p) == show(fresh) })
		})
	}
}

// TestLiveLimitFollowsWhatIsInTheWindow: a row that slides in comes with its
// associations and is kept in step; one that slid out is followed no more.
func TestLiveLimitFollowsWhatIsInTheWindow(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Posts")))
	db.exec("insert into people (name) values ('b'), ('d'), ('f')")
	db.exec("insert into posts (title, author_id) select 'of ' || name, id from people")
	live := query[Person](t, client, rowsync.Select{OrderBy: "name", Limit: 2, With: []string{"Posts"}})
	followed := rowsync.FollowedBy(live)
	for range 3 {
		db.exec("delete from people where name = 'b'")
		await(t, live, func(p []*Person, _ error) bool { return names(p) == "d f" && len(p[1].Posts) == 1 })
		db.exec("update posts set title = title || '!' where title like 'of f%'")
		await(t, live, func(p []*Person, _ error) bool { return strings.HasSuffix(p[1].Posts[0].Title, "!") })
		db.exec("insert into people (name) values ('b'); insert into posts (title, author_id) select 'of b', max(id) from people")
		await(t, live, func(p []*Person, _ error) bool { return names(p) == "b d" && len(p[0].Posts) == 1 })
		if now := rowsync.FollowedBy(live); now != followed {
			t.Fatalf("%d items are followed, at first there were %d", now, followed)
		}
	}
}

// TestLiveLimitRandom compares windows of every kind with what plain SQL says,
// after random transactions.
func TestLiveLimitRandom(t *testing.T) {
	for _, buffer := range []int{4096, 1} { // with room for one event there are Resets
		t.Run(fmt.Sprintf("buffer %d", buffer), func(t *testing.T) { randomWindows(t, buffer) })
	}
}

func randomWindows(t *testing.T, buffer int) {
	t.Helper()
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL))
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}, Buffer: buffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	rng := rand.New(rand.NewPCG(4, uint64(buffer)))
	windows := map[string]*rowsync.Live[[]*Person]{}
	for _, order := range []string{"name", "name desc", "length(name), name desc"} {
		for _, size := range [][2]int{{1, 0}, {5, 0}, {5, 3}, {0, 4}, {1000, 0}} {
			q := rowsync.Select{Where: "name >= 'b'", OrderBy: order, Limit: size[0], Offset: size[1]}
			limit := "all"
			if q.Limit > 0 {
				limit = fmt.Sprint(q.Limit)
			}
			sql := fmt.Sprintf("select name from people where name >= 'b' order by %s, id limit %s offset %d", order, limit, q.Offset)
			windows[sql] = query[Person](t, client, q)
		}
	}
	name := func() string { return strings.Repeat(string(rune('a'+rng.IntN(6))), 1+rng.IntN(3)) }
	for range 40 {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rng.IntN(4) {
			sql := [...]string{
				"insert into people (name) values ($1)",
				"insert into people (name) select $1 || g from generate_series(1, 3) g",
				"update people set name = $1 where id = (select id from people order by random() limit 1)",
				"delete from people where name > $1 and random() < 0.3",
			}[rng.IntN(4)]
			if _, err := tx.Exec(t.Context(), sql, name()); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for sql, live := range windows {
			var want string
			if err := db.QueryRow(t.Context(), "select coalesce(string_agg(name, ' '), '') from ("+sql+") w").Scan(&want); err != nil {
				t.Fatal(err)
			}
			await(t, live, func(p []*Person, _ error) bool { return names(p) == want })
		}
	}
}
