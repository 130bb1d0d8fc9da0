package pgtrigger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// A: the tables' owner is another role than who installed: he can't make partitions any more.
func TestOwnerMakesPartition(t *testing.T) {
	url := database(t, `do $$ begin create role app_owner; exception when duplicate_object or unique_violation then end $$;
		grant all on schema public to app_owner;
		set role app_owner;`+postsPartitionedSQL+`reset role;`)
	w := connect(t, url)
	w.do("set role app_owner; create table posts_list (id int, k int) partition by list (k); create table posts_list_1 partition of posts_list for values in (1)")
	start(t, url, Options{}, posts()) // as superuser: who runs migrations
	_, err := w.Exec(t.Context(), "alter table posts detach partition posts_high")
	if err != nil {
		t.Errorf("detach: %v", err)
	}
	_, err = w.Exec(t.Context(), "create table posts_new partition of posts for values from (50) to (60)")
	if err != nil {
		t.Errorf("create partition: %v", err)
	}
	w.do("delete from posts_high where id < 60")
	_, err = w.Exec(t.Context(), "alter table posts attach partition posts_high for values from (60) to (maxvalue)")
	if err != nil {
		t.Errorf("attach partition: %v", err)
	}
}

// B: a transaction that wrote while the journal was gone commits after the Reset.
func TestOpenWriterAcrossNewJournal(t *testing.T) {
	for name, c := range map[string][2]string{
		"dropped": {"drop table rowsync.journal", ""},
		"altered": {"alter table rowsync.journal drop column now", ""},
	} {
		t.Run(name, func(t *testing.T) {
			url := database(t, postsSQL)
			n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts(), marks2(t, url))
			n.awaitAsleep()
			ddl, w, hold := connect(t, url), connect(t, url), connect(t, url)
			// Keeps the reader from mending until w has written.
			hold.do(fmt.Sprintf("begin; select pg_advisory_xact_lock(%d, %d)", n.src.names.Class, installKey))
			ddl.do(c[0])
			w.do("begin; update posts set author_id = 77 where id = 1")
			hold.do("commit")
			n.await("a Reset that says all is well", func() bool {
				for _, r := range n.resets {
					if r.Err == nil && r.Table == nil {
						return true
					}
				}
				return false
			})
			// several more looks and polls
			m := n.mark()
			n.awaitEvent(m, "polled", 20)
			n.mu.Lock()
			resets := len(n.resets)
			n.mu.Unlock()
			w.do("commit")
			ddl.do("insert into marks values (1)")
			n.await("the mark", func() bool { return len(n.changes) > 0 })
			m = n.mark()
			n.awaitEvent(m, "polled", 50)
			n.mu.Lock()
			defer n.mu.Unlock()
			if len(n.resets) == resets && !strings.Contains(show(n.changes), "77") {
				t.Errorf("the change is lost: changes %s, resets %v", show(n.changes), n.resets)
			}
		})
	}
}

func marks2(t *testing.T, url string) *capture.Table {
	t.Helper()
	connect(t, url).do("create table marks (id int primary key)")
	return marks()
}

// C: the journal of a restored dump holds entries of transactions to come.
func TestRestoredJournal(t *testing.T) {
	url := database(t, postsSQL)
	old := start(t, url, Options{NoBell: true}, posts())
	w := connect(t, url)
	w.do("delete from posts where id = 1")
	old.awaitChanges(1)
	old.stop()
	// What pg_dump and psql in a cluster whose ids are lower do to it.
	w.do("update rowsync.journal set xid = ((xid::text)::bigint + 1000000)::text::xid8; update rowsync.state set identity = 'other'")
	n := start(t, url, Options{NoBell: true}, posts())
	m := n.mark()
	n.awaitEvent(m, "polled", 5)
	if c := n.count(); c != 0 {
		t.Errorf("%d changes, want none: %s", c, show(n.changes[:1]))
	}
}

// D: the function's owner may not write the journal any more.
func TestFunctionOwnerForbidden(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts())
	w := connect(t, url)
	w.do(weakOwner + "; grant usage on schema rowsync to weak; grant select, insert on rowsync.journal to weak")
	n.awaitResets(1)
	w.do("revoke insert on rowsync.journal from weak")
	m := n.mark()
	n.awaitEvent(m, "looked", 1)
	n.mu.Lock()
	before := len(n.resets)
	n.mu.Unlock()
	w.do("delete from posts where id = 1")
	m = n.mark()
	n.awaitEvent(m, "polled", 20)
	n.mu.Lock()
	defer n.mu.Unlock()
	troubled := false
	for _, r := range n.resets {
		troubled = troubled || r.Err != nil
	}
	if len(n.changes) == 0 && len(n.resets) == before && !troubled {
		t.Errorf("the change is lost, resets %v", n.resets)
	}
}

// F2: who watches updates only loses a move between whose halves another entry stands.
func TestUpdateOnlyMove(t *testing.T) {
	tab := events()
	tab.Ops = capture.Update
	p := watching(t, eventsSQL+`
		create function counter() returns trigger language plpgsql as $$ begin update events set note = note || 'x' where id = 101; return null; end $$;
		create trigger z_counter after delete on events for each row execute function counter();`, Options{}, tab)
	got := p.told("update events set region = 3 where id = 0; update events set region = 2 where id = 100")
	if !strings.Contains(got, "(100,1)→(100,2)") {
		t.Errorf("the update that moved row 100 is lost: %s", got)
	}
	p.expectResets(0)
}

// Somebody drops the namespace while a node makes its triggers: no trigger may
// be left whose function is gone, for then every writer fails.
func TestDropWhileInstalling(t *testing.T) {
	for _, drop := range []string{"drop schema rowsync cascade", dropFunctions} {
		url := database(t, postsSQL, "create table other (id int primary key, v int);")
		w, hold, dropper := connect(t, url), connect(t, url), connect(t, url)
		// The update trigger (the second) waits for the lock that a transaction holds ...
		hold.do(`create function slow() returns event_trigger language plpgsql as $$ begin
				if tg_tag = 'CREATE TRIGGER' and (select count(*) from pg_trigger where tgname like 'rowsync!_%' escape '!') = 4 then perform pg_advisory_xact_lock(4711); end if; end $$;
			create event trigger slow on ddl_command_end execute function slow()`)
		hold.do("select pg_advisory_lock(4711)")
		n := begin(t, url, Options{LockTimeout: 30 * time.Second}, posts())
		w.awaitOne("select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted", "1")
		dropped := make(chan error)
		go func() { _, err := dropper.Exec(context.Background(), drop); dropped <- err }()
		// It has got through, or waits for the installer.
		select {
		case err := <-dropped:
			t.Log("dropped:", err)
			hold.do("select pg_advisory_unlock(4711)")
		case <-time.After(500 * time.Millisecond):
			hold.do("select pg_advisory_unlock(4711)")
			t.Log("dropped after it waited:", <-dropped)
		}
		n.await("the end", func() bool { return n.started || n.ended != nil })
		n.stop()
		if _, err := w.Exec(t.Context(), "update posts set author_id = 1 where id = 1"); err != nil {
			t.Errorf("%.20s: a writer fails: %v", drop, err)
		}
	}
}

const dropFunctions = `do $$ declare f regprocedure; begin for f in select p.oid from pg_proc p join pg_namespace n on n.oid = pronamespace where proname like 'capture!_%' escape '!' and nspname = 'rowsync' loop execute format('drop function %s cascade', f); end loop; end $$`

// Where a trigger of the application has altered a new row before it is
// captured, whether it came from another partition can't be known: the table's
// Reset says so, and nothing is silent.
func TestDoubtfulMove(t *testing.T) {
	tab := events()
	tab.Ops = capture.Insert
	p := watching(t, eventsSQL+`
		create function touch() returns trigger language plpgsql as $$ begin update events set note = 'touched' where id = new.id; return null; end $$;
		create trigger a_touch after insert on events for each row execute function touch();`, Options{}, tab)
	p.expect("insert into events values (50, 1, 1, '')", "insert events ∅→(50,1)")
	p.w.do("begin; delete from events where id = 50; insert into events values (200, 2, 1, ''); commit")
	p.awaitReset("events")
	p.expect("insert into events values (51, 1, 1, '')", "insert events ∅→(51,1)")
}

// A trigger that somebody renames does not tell each change twice.
func TestRenamedTrigger(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v int);", Options{SafetyPoll: 20 * time.Millisecond}, table("t", "v"))
	p.w.do("do $$ declare n text; begin select tgname into n from pg_trigger where tgrelid = 't'::regclass and tgname like '%insert'; execute format('alter trigger %I on t rename to mine', n); end $$")
	p.awaitReset("t")
	for end := time.Now().Add(patience); p.w.one("select count(*) from pg_trigger where tgrelid = 't'::regclass") != "4"; {
		if time.Now().After(end) {
			t.Fatal("the renamed trigger stays")
		}
	}
	p.expect("insert into t values (1, 1)", "insert t ∅→(1,1)")
}
