package pgtrigger

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// The trigger leaves the writer's session as it was.
func TestWriterSessionUntouched(t *testing.T) {
	url := database(t, "create table posts (id bigserial primary key, author_id bigint, title text)")
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	w.do("insert into posts (author_id) values (1), (2)")
	if got := w.one("select lastval()"); got != "2" {
		t.Errorf("lastval() is %s, want 2", got)
	}
	if got := w.one("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"); got != "0" {
		t.Errorf("%s advisory locks left", got)
	}
	for _, setting := range []string{"search_path", "DateStyle", "TimeZone"} {
		if a, b := w.one("show "+setting), connect(t, url).one("show "+setting); a != b {
			t.Errorf("%s is %q, was %q", setting, a, b)
		}
	}
	n.awaitChanges(2)
}

// A transaction takes one id, however many statements it has, whether they
// ring or not: no trigger writes inside a subtransaction.
func TestNoSubtransactionIDs(t *testing.T) {
	for _, bell := range []bool{true, false} {
		url := database(t, postsSQL)
		n := start(t, url, Options{NoBell: !bell}, posts())
		if bell {
			n.awaitAsleep()
		}
		w := connect(t, url)
		w.do("begin; update posts set title = '' where id = 1")
		id := w.one("select pg_current_xact_id()")
		for i := range 100 {
			w.do(fmt.Sprintf("update posts set author_id = %d where id = 2", i))
		}
		w.do("commit")
		n.awaitChanges(101)
		// Ids of subtransactions come from the same counter.
		taken := w.one(fmt.Sprintf("select pg_current_xact_id()::text::bigint - %s", id))
		if n, _ := strconv.Atoi(taken); n > 20 { // tests of other packages may take some
			t.Errorf("%s transaction ids were taken by one transaction", taken)
		}
	}
}

// createWeak makes a role without privileges; roles are the whole server's.
const createWeak = "do $$ begin create role weak; exception when duplicate_object or unique_violation then end $$"

// weakOwner gives the trigger functions to it.
const weakOwner = createWeak + `; do $$ declare f regprocedure; begin
	for f in select oid from pg_proc where proname like 'capture!_%' escape '!' loop
		execute format('alter function %s owner to weak', f);
	end loop; end $$`

// Whatever becomes of the table's columns, of the journal or of privileges, the
// writer's statement goes on. What could not be read is a Reset.
func TestWriterNeverFails(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		reset     bool
		captured  bool
	}{
		{name: "column renamed", sql: "alter table posts rename author_id to writer_id", reset: true},
		{name: "column dropped", sql: "alter table posts drop author_id", reset: true},
		{name: "column's type changed", sql: "alter table posts alter author_id type text", captured: true},
		{name: "table renamed", sql: "alter table posts rename to old_posts; create view posts as select * from old_posts", captured: true},
		{name: "journal dropped", sql: "drop table rowsync.journal"},
		{name: "journal altered", sql: "alter table rowsync.journal drop column now"},
		{name: "schema forbidden", sql: weakOwner},
		{name: "journal forbidden", sql: weakOwner + "; grant usage on schema rowsync to weak"},
		{name: "journal read only", sql: weakOwner + "; grant usage on schema rowsync to weak; grant select on rowsync.journal to weak"},
		{name: "journal granted", sql: weakOwner + "; grant usage on schema rowsync to weak; grant select, insert on rowsync.journal to weak", captured: true},
		{name: "role without privileges", captured: true,
			sql: createWeak + "; grant all on posts to weak; set role weak"},
		{name: "text of a type fails", reset: true,
			sql: `create function boom(jsonb) returns bigint language plpgsql immutable as 'begin return 1; end';
				create type bad as (x int); create function bad_text(bad) returns text language plpgsql as $$ begin raise 'no'; end $$;
				create cast (bad as text) with function bad_text(bad);
				alter table posts alter author_id type bad using row(author_id)::bad`},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := database(t, postsSQL)
			n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts())
			n.awaitAsleep()
			w := connect(t, url)
			w.do(c.sql)
			w.do("update posts set title = 'x' where id = 1; delete from posts where id = 2")
			switch {
			case c.captured:
				n.awaitChanges(2)
			case c.reset:
				if r := n.awaitResets(1)[0]; r.Table == nil || r.Table.Name != "posts" {
					t.Errorf("reset %+v, want of posts", r)
				}
			}
		})
	}
}

// Large statements and large values.
func TestLarge(t *testing.T) {
	url := database(t, "create table posts (id text primary key, author_id bigint, title text)")
	n := start(t, url, Options{MaxRows: 100_000}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	w.do("insert into posts values (repeat('x', 2000), 1, ''), (repeat('\"', 2500), 2, '')") // near the bound of a payload, once quoted
	n.awaitChanges(2)
	w.do("insert into posts select g, g, '' from generate_series(1, 100000) g")
	began := time.Now()
	changes := n.awaitChanges(100_002)
	t.Logf("100,000 rows arrived %v after the statement", time.Since(began))
	if got := showRow(changes[100_001].New); got != "(100000,100000)" {
		t.Errorf("last row %s", got)
	}
	w.do("update posts set author_id = 0") // two more than are captured one by one
	if r := n.awaitResets(1)[0]; r.Table == nil || r.Table.Name != "posts" {
		t.Errorf("reset %+v, want of posts", r)
	}
	w.do("delete from posts where id = '7'")
	n.awaitChanges(100_003)
}

// A key so wide that its entry would be beyond what one message can hold.
func TestHuge(t *testing.T) {
	url := database(t, "create table docs (id int primary key, body text)")
	n := start(t, url, Options{}, &capture.Table{Schema: "public", Name: "docs", Key: []string{"id"}, Columns: []string{"body"}})
	n.awaitAsleep()
	w := connect(t, url)
	w.do("insert into docs values (1, repeat('x', 50000000))")
	if got := n.awaitChanges(1)[0].New[1].Text; len(got) != 50_000_000 || strings.Trim(got, "x") != "" {
		t.Errorf("body of %d bytes", len(got))
	}
	w.do("insert into docs select g, repeat('y', 10000000) from generate_series(2, 20) g")
	n.awaitResets(1)
	w.do("delete from docs")
	n.awaitResets(2)
}

// PREPARE TRANSACTION, which PostgreSQL refuses after NOTIFY, works with NoBell.
func TestPrepareTransaction(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{NoBell: true}, posts())
	w := connect(t, url)
	w.do("begin; delete from posts where id = 1; prepare transaction 'x'")
	w.do("commit prepared 'x'")
	n.awaitChanges(1)
}

// A session that fires no triggers is not captured, as documented.
func TestReplicationRole(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	w := connect(t, url)
	w.do("set session_replication_role = replica; delete from posts where id = 1; set session_replication_role = origin; delete from posts where id = 2")
	if got, want := show(n.awaitChanges(1)), "delete public.posts (2,2)→∅"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
