package pgtrigger

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

func others() *capture.Table {
	return &capture.Table{Schema: "public", Name: "other", Key: []string{"id"}}
}

// Whatever becomes of a table while its changes are captured, its writers go
// on, the reader tells what is wrong, once, and goes on with the other tables;
// and when the table is as it was, its changes are captured again.
func TestSchemaChanges(t *testing.T) {
	const recreate = "create table posts (id bigint primary key, author_id bigint, title text); insert into posts values (1, 1, '')"
	for _, c := range []struct {
		name, damage, said string
		write, restore     string
	}{
		{name: "table dropped", damage: "drop table posts", said: "no such table", restore: recreate},
		{name: "table renamed", damage: "alter table posts rename to archive", said: "no such table",
			write: "update archive set title = 'x'", restore: "alter table archive rename to posts"},
		{name: "table renamed, another in its place", damage: "alter table posts rename to archive", said: "no such table",
			write: "update archive set title = 'x'", restore: recreate},
		{name: "column renamed", damage: "alter table posts rename author_id to writer_id", said: `no column "author_id"`,
			write: "update posts set title = 'x'", restore: "alter table posts rename writer_id to author_id"},
		{name: "column dropped", damage: "alter table posts drop author_id", said: `no column "author_id"`,
			write: "update posts set title = 'x'", restore: "alter table posts add author_id bigint"},
		{name: "key renamed", damage: "alter table posts rename id to number", said: `no column "id"`,
			write: "update posts set title = 'x'", restore: "alter table posts rename number to id"},
		{name: "schema dropped", damage: "alter table posts set schema app; drop schema app cascade", said: "no such table", restore: recreate},
		{name: "moved to another schema", damage: "alter table posts set schema app", said: "no such table",
			write: "update app.posts set title = 'x'", restore: "alter table app.posts set schema public"},
		{name: "triggers disabled", damage: "alter table posts disable trigger all", said: "is disabled",
			write: "update posts set title = 'x'", restore: "alter table posts enable trigger all"},
		{name: "a view in its place", damage: "alter table posts rename to archive; create view posts as select * from archive", said: "it is a view",
			write: "update posts set title = 'x'", restore: "drop view posts; alter table archive rename to posts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := database(t, postsSQL, "create table other (id int primary key); create schema app")
			log := newLogs(t)
			n := start(t, url, Options{SafetyPoll: 50 * time.Millisecond, Logger: log.logger(slog.LevelInfo)}, posts(), others())
			n.awaitAsleep()
			w := connect(t, url)
			w.do(c.damage)
			n.await("a reset that says what is wrong", func() bool {
				for _, r := range n.resets {
					if r.Table != nil && r.Table.Name == "posts" && r.Err != nil && strings.Contains(r.Err.Error(), c.said) {
						return true
					}
				}
				return false
			})
			for i := range 20 { // the other table is followed all the while
				if c.write != "" {
					w.do(c.write)
				}
				w.do(fmt.Sprintf("insert into other values (%d)", i))
				n.await("changes of the other table", func() bool { return n.of("other") == i+1 })
			}
			resets := n.mended()
			w.do(c.restore)
			n.await("the table to be back", func() bool { return n.mendedLocked() > resets })
			before := n.of("posts")
			w.do("insert into posts (id, author_id) values (5000, 5)")
			n.await("a change of the table", func() bool { return n.of("posts") > before })
			if lines := log.lines("level=ERROR"); len(lines) != 1 {
				t.Errorf("%d errors logged, want 1:\n%s", len(lines), strings.Join(lines, "\n"))
			}
			if lines := log.lines("interrupted"); len(lines) > 0 {
				t.Errorf("the session was given up: %v", lines)
			}
			if c.name != "table renamed, another in its place" {
				return
			}
			if got := w.one(countTriggers); got != "8" {
				t.Errorf("%s triggers, want none on the renamed table", got)
			}
		})
	}
}

// of counts the changes of a table. The node's lock must be held, or the node
// rest.
func (n *node) of(table string) int {
	count := 0
	for _, c := range n.changes {
		if c.Table.Name == table {
			count++
		}
	}
	return count
}

// mendedLocked counts the Resets that say that changes are captured again. The
// node's lock must be held.
func (n *node) mendedLocked() int {
	count := 0
	for _, r := range n.resets {
		if r.Err == nil && (r.Table == nil || r.Table.Name == "posts") && !strings.Contains(r.Reason, "a statement changed") && !strings.Contains(r.Reason, "while its") {
			count++
		}
	}
	return count
}

func (n *node) mended() (count int) {
	n.update(func() { count = n.mendedLocked() })
	return count
}

const dropTriggers = `do $$ declare n text; begin
	for n in select tgname from pg_trigger where tgname like 'rowsync%' and tgrelid = 'posts'::regclass loop
		execute format('drop trigger %I on posts', n); end loop; end $$`

// Triggers that are dropped are put back, and a new table of the same name gets
// its own: one Reset, and no error.
func TestMendedAtOnce(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"triggers dropped", dropTriggers},
		{"table made anew", "begin; drop table posts; create table posts (id bigint primary key, author_id bigint, title text); commit"},
		{"disabled and enabled", "begin; alter table posts disable trigger all; alter table posts enable trigger all; commit"},
		{"column's type changed", "alter table posts alter author_id type timestamptz using now()"},
		{"rowsync's schema dropped", "drop schema rowsync cascade"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := database(t, postsSQL, "create table other (id int primary key)")
			n := start(t, url, Options{SafetyPoll: 50 * time.Millisecond}, posts(), others())
			n.awaitAsleep()
			w := connect(t, url)
			w.do(c.sql)
			if r := n.awaitResets(1)[0]; r.Err != nil || (r.Table == nil) != strings.Contains(c.name, "schema") {
				t.Errorf("reset %+v", r)
			}
			w.do("insert into posts (id) values (5000); insert into other values (1)")
			n.awaitChanges(2)
			n.awaitEvent(n.mark(), "polled", 3)
			if len(n.resets) > 1 {
				t.Errorf("more than one reset: %v", n.resets)
			}
		})
	}
}

// A statement whose rows could not be read makes the reader look at once,
// however far away the next look is.
func TestUnknownKeysMakeItLook(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int primary key)")
	n := start(t, url, Options{SafetyPoll: time.Hour}, posts(), others())
	n.awaitAsleep()
	w := connect(t, url)
	w.do("alter table posts rename author_id to writer_id; update posts set title = 'x'")
	n.await("a reset with an error", func() bool {
		for _, r := range n.resets {
			if r.Err != nil && strings.Contains(r.Err.Error(), `no column "author_id"`) {
				return true
			}
		}
		return false
	})
	// And then there are no more, however often the table is written to.
	resets := len(n.resets)
	for range 50 {
		w.do("update posts set title = 'y' where id = 1")
	}
	w.do("insert into other values (1)")
	n.awaitChanges(1)
	if got := n.awaitResets(resets); len(got) > resets {
		t.Errorf("resets %v", got)
	}
}

// While a long transaction holds a table whose triggers are gone, the changes
// of other tables arrive; when it ends, the triggers are put back.
func TestMendingWaitsForLocks(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int primary key)")
	n := start(t, url, Options{SafetyPoll: 50 * time.Millisecond, LockTimeout: 10 * time.Millisecond}, posts(), others())
	n.awaitAsleep()
	open, w := connect(t, url), connect(t, url)
	w.do("begin; " + dropTriggers)
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		open.do("begin; update posts set title = '' where id = 1")
	}()
	w.awaitOne("select count(*) from pg_locks where relation = 'posts'::regclass and not granted", "1")
	w.do("commit") // and open has its lock before anybody else
	<-waiting
	n.await("the loss to be told", func() bool {
		return len(n.resets) > 0 && n.resets[0].Err != nil && strings.Contains(n.resets[0].Err.Error(), "a lock was not to be had within 10ms")
	})
	for i := range 10 {
		w.do(fmt.Sprintf("insert into other values (%d)", i))
		n.await("changes of the other table", func() bool { return n.of("other") == i+1 })
	}
	open.do("commit")
	n.await("the table to be back", func() bool { return n.mendedLocked() > 0 })
	w.do("insert into posts values (5000, 5, '')")
	n.await("a change of the table", func() bool { return n.of("posts") > 0 })
}

// A column's type that asks for other SQL makes the reader read another
// definition; the old one is a leftover.
func TestAnotherDefinition(t *testing.T) {
	url := database(t, postsSQL)
	table := posts()
	n := start(t, url, Options{SafetyPoll: 50 * time.Millisecond}, table)
	n.awaitAsleep()
	old := hashes(t, n.src)
	w := connect(t, url)
	w.do("alter table posts alter author_id type timestamptz using '2001-02-03 04:05:06Z'")
	n.awaitResets(1)
	w.do("set timezone = 'Asia/Tokyo'; set datestyle = german; insert into posts values (5000, '2002-02-03 04:05:06Z')")
	if got := showRow(n.awaitChanges(1)[0].New); got != "(5000,2002-02-03 04:05:06+00)" {
		t.Errorf("row %s", got)
	}
	removed, err := n.src.Remove(t.Context(), hashes(t, n.src)...)
	var used *InUseError
	if !slices.Equal(removed, old) || !errors.As(err, &used) {
		t.Errorf("removed %v (%v), want the old definition %v", removed, err, old)
	}
	if details, _ := n.src.Describe(table); !strings.Contains(details.Function, used.Installed.Definition) {
		t.Errorf("it is described as captured by %s", details.Function)
	}
	w.do("delete from posts where id = 5000")
	n.awaitChanges(2)
}
