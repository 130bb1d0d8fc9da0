package pgtrigger

import (
	"context"
	"errors"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name, sql, want string
		asleep          bool
	}{
		{name: "insert", sql: "insert into posts values (200, 7, 'x'), (201, null, 'y')",
			want: "insert public.posts ∅→(200,7); insert public.posts ∅→(201,null)"},
		{name: "update", sql: "update posts set author_id = 70 where id = 7", want: "update public.posts (7,7)→(7,70)"},
		{name: "untracked", sql: "update posts set title = 'x' where id = 7", want: "update public.posts (7,7)→(7,7)"},
		{name: "key", sql: "update posts set id = 700 where id = 7", want: "update public.posts (7,7)→(700,7)"},
		{name: "delete", sql: "delete from posts where id = 7", want: "delete public.posts (7,7)→∅"},
		{name: "truncate", sql: "truncate posts", want: "truncate public.posts ∅→∅"},
		{name: "upsert", sql: "insert into posts values (300, 1, ''), (5, 1, '') on conflict (id) do update set author_id = 55",
			want: "insert public.posts ∅→(300,1); update public.posts (5,5)→(5,55)"},
		{name: "nothing", sql: "update posts set title = '' where id = -1; delete from posts where id = 9", want: "delete public.posts (9,9)→∅"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, bell := range []bool{true, false} {
				url := database(t, postsSQL)
				n := start(t, url, Options{NoBell: !bell}, posts())
				if bell {
					n.awaitAsleep()
				}
				w := connect(t, url)
				w.do(c.sql)
				w.do("insert into posts values (9999, 0, '')")
				want := c.want + "; insert public.posts ∅→(9999,0)"
				n.await("the changes", func() bool {
					return len(n.changes) > 0 && n.changes[len(n.changes)-1].New != nil && n.changes[len(n.changes)-1].New[0].Text == "9999"
				})
				if got := show(n.changes); got != want && c.name != "upsert" || len(got) != len(want) {
					t.Errorf("bell %v: %s\n got %s\nwant %s", bell, c.sql, got, want)
				}
				if err := n.stop(); !errors.Is(err, context.Canceled) {
					t.Errorf("Run returned %v", err)
				}
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	w.do("begin; select set_config('rowsync.origin', 'me', true); update posts set title = '' where id = 1; commit")
	w.do("update posts set title = '' where id = 2")
	changes := n.awaitChanges(2)
	if changes[0].Origin != "me" || changes[1].Origin != "" {
		t.Errorf("origins %q and %q, want me and none", changes[0].Origin, changes[1].Origin)
	}
	if changes[0].TxID == 0 || changes[0].TxID == changes[1].TxID {
		t.Errorf("transactions %d and %d", changes[0].TxID, changes[1].TxID)
	}
	if changes[0].At.IsZero() || changes[1].At.Before(changes[0].At) {
		t.Errorf("times %v and %v", changes[0].At, changes[1].At)
	}
}

// Without tables nothing is installed, and Run only looks for leftovers.
func TestNoTables(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{})
	if got := connect(t, url).one("select count(*) from pg_namespace where nspname = 'rowsync'"); got != "0" {
		t.Error("something was installed")
	}
	if err := n.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
}

var _ capture.Sink = (*node)(nil)
