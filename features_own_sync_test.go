package rowsync_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

func asItIs(*pgxpool.Config) {}

// TestB13Force: Sync passes over the echo of an own write, for the holder has
// changed its value itself, and takes it in when forced; others are told, and a
// Live, which writes nothing, takes in everything.
func TestB13Force(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('ada')")
	settle(t, client, db)
	live, err := rowsync.Query[Person](t.Context(), client, rowsync.Select{})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	sub, other := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context())
	ada := []*Person{{ID: 1, Name: "ada"}}
	for _, s := range []*rowsync.Subscriber{sub, other} {
		if err := s.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sub.Writer().Exec(t.Context(), "update people set name = $1", "eve"); err != nil {
		t.Fatal(err)
	}
	ev := next(t, sub)
	sync := func(sub *rowsync.Subscriber, want string, opts ...rowsync.SyncOption) {
		t.Helper()
		got, err := rowsync.Sync(t.Context(), sub, ada, ev, opts...)
		if err != nil || len(got) != 1 || got[0].Name != want || ada[0].Name != "ada" {
			t.Errorf("got %s, %v; want %s", show(got), err, want)
		}
	}
	sync(sub, "ada")
	sync(sub, "eve", rowsync.Force())
	sync(sub, "ada") // the same answer as before
	sync(other, "eve")
	for people, err := range live.Changes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if people[0].Name == "eve" {
			break
		}
	}
}

// TestB14HeldIsFresh: a holder that writes, changes its value by what it wrote,
// and then syncs what came before that, holds what the database has; also if
// what came before is in the cache.
func TestB14HeldIsFresh(t *testing.T) {
	n := openNodes(t, asItIs)
	for _, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			n.t = t
			// Whose tag only its Writer knows, unless the way asks for it.
			sub := n.here.NewSubscriber(t.Context())
			defer sub.Close()
			if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp), rowsync.On[Tag](rowsync.AnyOp)); err != nil {
				t.Fatal(err)
			}
			n.exec("update people set name = 'foreign' where id = 1")
			// So that it is in the cache.
			if got, err := rowsync.Sync(t.Context(), n.beside, &Person{ID: 1}, next(t, n.beside)); err != nil || got.Name != "foreign" {
				t.Fatal(got, err)
			}
			if err := way.write(t.Context(), sub, n.Pool); err != nil {
				t.Fatal(err)
			}
			fresh := func() *Person {
				p := &Person{ID: 1}
				if err := n.QueryRow(t.Context(), "select name from people where id = 1").Scan(&p.Name); err != nil {
					t.Fatal(err)
				}
				return p
			}
			held := fresh()
			n.exec("insert into tags values ('mark', ''); delete from tags")
			for _, ev := range n.told(sub) {
				var err error
				if held, err = rowsync.Sync(t.Context(), sub, held, ev); err != nil {
					t.Fatal(err)
				}
			}
			want(t, held, fresh())
			n.told(n.beside)
			next(t, n.beside)
		})
	}
}

// TestB14Joined: events of a value that wait are joined; what own and foreign
// writes became is news, whichever was first, and what own ones became is not.
func TestB14Joined(t *testing.T) {
	for writes, news := range map[string]bool{"o": false, "f": true, "of": true, "fo": true, "ooo": false, "ofo": true, "off": true, "x": true, "xo": true} {
		t.Run(writes, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
			db.exec("insert into people (name) values ('ada')")
			settle(t, client, db)
			sub, foreign := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context())
			ada := &Person{ID: 1, Name: "ada"}
			if _, err := sub.Subscribe(ada); err != nil {
				t.Fatal(err)
			}
			for _, by := range writes {
				const write = "update people set name = name || $1"
				var err error
				switch by {
				case 'o':
					_, err = sub.Writer().Exec(t.Context(), write, "o")
				case 'f':
					_, err = foreign.Writer().Exec(t.Context(), write, "f")
				default: // somebody without a mark
					_, err = db.Exec(t.Context(), write, "x")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			settle(t, client, db) // now all of them wait, as one
			ev := next(t, sub)
			if got := sub.ShouldUpdate(ev); got != news {
				t.Errorf("ShouldUpdate of the writes %q, which became %s with origin %q, says %v", writes, ev, ev.Origin, got)
			}
			got, err := rowsync.Sync(t.Context(), sub, ada, ev)
			if err != nil {
				t.Fatal(err)
			}
			if news != (got.Name == "ada"+writes) {
				t.Errorf("Sync made %q of it", got.Name)
			}
		})
	}
}

// TestB14MarkNeedsATransaction: where a mark would have no effect, an error
// says so.
func TestB14MarkNeedsATransaction(t *testing.T) {
	n := openNodes(t, asItIs)
	db := stdlib.OpenDBFromPool(n.Pool)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const says = "mark transaction: the mark did not last to the next statement: begin a transaction and pass that: "
	for name, err := range map[string]error{
		"pool":   n.sub.Mark(t.Context(), n.Pool),
		"sql.DB": n.sub.MarkSQL(t.Context(), db), "sql.Conn": n.sub.MarkSQL(t.Context(), conn),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), says) || !strings.Contains(err.Error(), "no transaction is open") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	n.unmarked()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.sub.Mark(ended, n.Pool); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "last") {
		t.Errorf("Mark with a context that has ended: %v", err)
	}
}

// TestB14Tags: a tag of one's own may be any text; each Subscriber without one
// has another, and always the same.
func TestB14Tags(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	first, second, empty := client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context()), client.NewSubscriber(t.Context(), rowsync.Origin(""))
	seen := map[string]bool{}
	for _, sub := range []*rowsync.Subscriber{first, second, empty} {
		tag := sub.Origin()
		seen[tag] = true
		if again := sub.Origin(); tag != again || len(tag) < 22 {
			t.Errorf("tag %q, and then %q", tag, again)
		}
	}
	if len(seen) != 3 {
		t.Errorf("tags %v", seen)
	}
	for _, tag := range []string{"tab 7", `it's \ "quoted" $1`, `\'; drop table people; --`, "Ünï", strings.Repeat("long", 5000)} {
		sub := client.NewSubscriber(t.Context(), rowsync.Origin(tag))
		if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
		w := sub.Writer()
		tx, err := w.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(t.Context(), "insert into people (name) values ('in a transaction')")
		if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Exec(t.Context(), "insert into people (name) values ($1)", "alone"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if ev := next(t, sub); ev.Origin != tag || sub.ShouldUpdate(ev) {
				t.Errorf("%s has the origin %.40q, want %.40q", ev, ev.Origin, tag)
			}
		}
	}
}

// TestB14Processes: the tag tells own from foreign across processes.
func TestB14Processes(t *testing.T) {
	const database, tag = "ROWSYNC_TEST_OTHER_PROCESS", "the other process"
	open := func(url string) (*rowsync.Client, *pgxpool.Pool) {
		db := openPool(t.Context(), t, url)
		client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client, db
	}
	follow := func(c *rowsync.Client, tag string) *rowsync.Subscriber {
		sub := c.NewSubscriber(t.Context(), rowsync.Origin(tag))
		if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	if url := os.Getenv(database); url != "" {
		client, _ := open(url)
		sub := follow(client, tag)
		if _, err := sub.Writer().Exec(t.Context(), "insert into people (name) values ($1)", "there"); err != nil {
			t.Fatal(err)
		}
		if ev := next(t, sub); sub.ShouldUpdate(ev) {
			t.Errorf("its own write is news: %s", ev)
		}
		return
	}
	url := pgtemp.Shared(t).Database(t, worldSQL)
	client, _ := open(url)
	sub, like := follow(client, "this process"), follow(client, tag)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestB14Processes$", "-test.v")
	cmd.Env = append(os.Environ(), database+"="+url)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestB14Processes") {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	if ev := next(t, sub); !sub.ShouldUpdate(ev) || ev.Origin != tag {
		t.Errorf("a write of another process is no news: %s, origin %q", ev, ev.Origin)
	}
	if ev := next(t, like); like.ShouldUpdate(ev) {
		t.Errorf("a write of its like is news: %s", ev)
	}
	if _, err := sub.Writer().Exec(t.Context(), "insert into people (name) values ($1)", "here"); err != nil {
		t.Fatal(err)
	}
	if ev := next(t, sub); sub.ShouldUpdate(ev) {
		t.Errorf("its own write is news: %s", ev)
	}
	if ev := next(t, like); !like.ShouldUpdate(ev) {
		t.Errorf("a write of another process is no news: %s", ev)
	}
}
