package rowsync_test

import (
	"fmt"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestLiveCost: how many statements a change costs, however many Lives share the
// value, as docs/live.md says. Only the change itself is told, all at once.
func TestLiveCost(t *testing.T) {
	for _, test := range []struct {
		name, sql  string
		op         rowsync.Op
		table, id  string
		statements uint64
	}{
		{"row of the list", "update posts set title = 'bb' where id = 2", rowsync.Updated, "posts", "2", 2},
		{"row beyond the limit", "update posts set title = 'zz' where id = 5", rowsync.Updated, "posts", "5", 1},
		{"row beyond the condition", "update posts set title = 'yy' where id = 6", rowsync.Updated, "posts", "6", 1},
		{"row that slides in", "delete from posts where id = 2", rowsync.Deleted, "posts", "2", 5},
		{"row below", "update people set name = 'eve' where id = 1", rowsync.Updated, "people", "1", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, tracer := newScripted(), &stepTracer{}
			client, db := openScripted(t, source, &rowsync.Options{
				Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Author", "Comments"))}, Tracer: tracer,
			})
			db.exec("insert into people (name) values ('ada')")
			db.exec("insert into posts (title, author_id) values ('a', 1), ('b', 1), ('c', 1), ('d', 1), ('e', 1), ('x', 1)")
			q := rowsync.Select{Where: "title < 'x'", OrderBy: "title", Limit: 3, With: []string{"Author", "Comments"}}
			lives := make([]*rowsync.Live[[]*Post], 10)
			for i := range lives {
				lives[i] = query[Post](t, client, q)
			}
			before := client.Stats().Statements
			stepped := make(chan error, 1)
			f := func(trace rowsync.SyncTrace) { stepped <- trace.Err }
			tracer.f.Store(&f)
			db.exec(test.sql)
			source.tell(test.op, test.table, test.id)
			if err := <-stepped; err != nil {
				t.Fatal(err)
			}
			if n := client.Stats().Statements - before; n != test.statements {
				t.Errorf("%d statements, want %d", n, test.statements)
			}
			wantFresh(t, client, q, lives[0].Value())
		})
	}
}

// TestLiveWindowOfOwnTable: where the root's table is held below the root too, a
// change of a row beyond the window counts.
func TestLiveWindowOfOwnTable(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Fans")))
	db.exec("insert into people (name) values ('ada'), ('bob'); insert into friends (person_id, friend_id) values (2, 1)")
	live := query[Person](t, client, rowsync.Select{OrderBy: "id", Limit: 1, With: []string{"Fans"}})
	for i := range 3 {
		name := fmt.Sprint("bob ", i)
		db.exec("update people set name = $1 where id = 2", name)
		await(t, live, func(p []*Person, _ error) bool { return len(p) == 1 && p[0].Fans[0].Name == name })
	}
}
