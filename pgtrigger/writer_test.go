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

// postsPartitionedSQL is postsSQL with partitions.
const postsPartitionedSQL = `create table posts (id bigint primary key, author_id bigint, title text) partition by range (id);
	create table posts_low partition of posts for values from (minvalue) to (50);
	create table posts_high partition of posts for values from (50) to (maxvalue);
	insert into posts select g, g % 10, 'post ' || g from generate_series(1, 100) g;`

// createWeak makes a role without privileges; roles are the whole server's.
const createWeak = "do $$ begin create role weak; exception when duplicate_object or unique_violation then end $$"

// weakOwner gives the trigger functions to it.
const weakOwner = createWeak + `; do $$ declare f regprocedure; begin
	for f in select oid from pg_proc where proname like 'capture!_%' escape '!' loop
		execute format('alter function %s owner to weak', f);
	end loop; end $$`

// Whatever becomes of the table's columns, of the journal or of privileges, the
// writer's statement goes on, with statement triggers and with row triggers.
// What could not be read is a Reset.
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
		for kind, setup := range map[string]string{"statement triggers": postsSQL, "row triggers": postsPartitionedSQL} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				url := database(t, setup)
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

// A million rows in one statement: beyond MaxRows the table is reset; with a
// MaxRows that allows it, all of them arrive.
func TestMillion(t *testing.T) {
	const million = 1_000_000
	url := database(t, "create table t (id int primary key, v int)")
	small := start(t, url, Options{}, table("t"))
	small.awaitAsleep()
	w := connect(t, url)
	w.do("insert into t select g, g from generate_series(1, 1000000) g")
	if r := small.awaitResets(1)[0]; r.Table == nil || r.Table.Name != "t" {
		t.Errorf("reset %+v, want of t", r)
	}
	if got := small.count(); got != 0 {
		t.Errorf("%d changes", got)
	}
	small.stop()

	large := start(t, url, Options{MaxRows: million}, table("t"))
	began := time.Now()
	w.do("update t set v = -v")
	statement := time.Since(began)
	changes := large.awaitChanges(million)
	t.Logf("1,000,000 rows: the statement took %v, delivered after %v", statement, time.Since(began))
	seen := make([]bool, million+1)
	for _, c := range changes {
		id, err := strconv.Atoi(c.New[0].Text)
		if err != nil || seen[id] || c.Op != capture.Update {
			t.Fatalf("%s: %v", show([]capture.Change{c}), err)
		}
		seen[id] = true
	}
	if resets := len(large.resets); resets > 0 {
		t.Errorf("%d resets", resets)
	}
}

// Keys of 100 kB, with statement triggers and with row triggers. They are too
// long for an index, so nothing but the watcher calls them a key.
func TestHugeKeys(t *testing.T) {
	for _, partition := range []string{"", " partition by list (n); create table t1 partition of t for values in (1)"} {
		p := watching(t, "create table t (id text, n int)"+partition, Options{}, table("t", "n"))
		p.awaitAsleep()
		p.w.do("insert into t select repeat(g::text, 100000), 1 from generate_series(1, 9) g; update t set id = id || '!'; delete from t")
		changes := p.sinceMark()
		if len(changes) != 27 {
			t.Fatalf("%d changes, want 27", len(changes))
		}
		for i := range 9 {
			key := strings.Repeat(strconv.Itoa(i+1), 100_000)
			if changes[i].New[0].Text != key || changes[9+i].Old[0].Text != key || changes[9+i].New[0].Text != key+"!" || changes[18+i].Old[0].Text != key+"!" {
				t.Errorf("row %d is not itself", i)
			}
		}
		p.expectResets(0)
	}
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
