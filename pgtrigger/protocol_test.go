package pgtrigger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rowsync/rowsync/pgtemp"
)

// These tests hold the reader and a writer up at chosen points. The safety
// poll is off, so that a missed wake-up is a change that never arrives. They do
// not run in parallel: another test's transaction between a writer's and the
// reader's would hide what some of them look for.

// drowse starts a reader and holds it up before it takes the bell locks. The
// returned function lets it go on until it is drowsy or asleep.
func drowse(t *testing.T, url string, opts Options) (*node, func()) {
	t.Helper()
	opts.SafetyPoll, opts.Logger = -1, quiet()
	n := newNode(t, url, opts)
	gate := make(chan struct{})
	n.hold["polled"] = gate
	n.run(tablesOf(posts()))
	t.Cleanup(func() { // before stop, which would wait for ever
		n.update(func() { delete(n.hold, "polled") })
		select {
		case <-gate:
		default:
			close(gate)
		}
	})
	n.await("the first poll", func() bool { return n.started && len(n.events) > 0 && n.events[len(n.events)-1] == "polled" })
	return n, func() {
		n.update(func() { delete(n.hold, "polled") })
		close(gate)
		n.await("the reader to be drowsy", func() bool {
			last := n.events[len(n.events)-1]
			return slices.Contains(n.events, "drowsy") && (last == "polled" || last == "asleep")
		})
	}
}

// A writer whose trigger ran before the reader held the locks did not ring:
// the reader must not sleep before that writer has ended.
func TestWriterBeforeMarkCommitsAfter(t *testing.T) {
	for _, c := range []struct{ name, begin, write, end string }{
		{"plain", "begin", "update posts set author_id = 99 where id = 1", "commit"},
		{"savepoint", "begin; savepoint a", "update posts set author_id = 99 where id = 1", "release a; commit"},
		{"savepoint left", "begin; savepoint a; update posts set title = '' where id = 2; rollback to a; savepoint b",
			"update posts set author_id = 99 where id = 1", "commit"},
		{"repeatable read", "begin isolation level repeatable read", "update posts set author_id = 99 where id = 1", "commit"},
		{"serializable", "begin isolation level serializable", "update posts set author_id = 99 where id = 1", "commit"},
		{"prepared", "begin", "update posts set author_id = 99 where id = 1", "prepare transaction 'p'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := database(t, postsSQL)
			n, release := drowse(t, url, Options{})
			w := connect(t, url)
			w.do(c.begin)
			w.do(c.write)
			release()
			mark := n.mark()
			n.awaitEvent(mark, "polled", 5)
			w.do(c.end)
			if c.name == "prepared" {
				n.awaitEvent(n.mark(), "polled", 5) // an open transaction still, without a session
				w.do("commit prepared 'p'")
			}
			changes := n.awaitChanges(1)
			if got, want := show(changes), "update public.posts (1,1)→(1,99)"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			n.awaitAsleep()
			w.do("delete from posts where id = 2") // and from now on the bell is heard
			n.awaitChanges(2)
		})
	}
}

// The same with a rollback: nothing is delivered, and the reader sleeps.
func TestWriterBeforeMarkRollsBack(t *testing.T) {
	url := database(t, postsSQL)
	n, release := drowse(t, url, Options{})
	w := connect(t, url)
	w.do("begin; update posts set author_id = 99 where id = 1")
	release()
	n.awaitEvent(n.mark(), "polled", 3)
	w.do("rollback")
	n.awaitAsleep()
	w.do("delete from posts where id = 2")
	n.awaitChanges(1)
}

// A transaction whose snapshot is older than the reader's sleep must ring all
// the same: locks are seen whatever the isolation level, rows are not.
func TestOldSnapshotRings(t *testing.T) {
	for _, level := range []string{"repeatable read", "serializable"} {
		url := database(t, postsSQL)
		n, release := drowse(t, url, Options{})
		w := connect(t, url)
		w.do("begin isolation level " + level + "; select count(*) from posts")
		release()
		n.awaitAsleep()
		w.do("update posts set author_id = 99 where id = 1; commit")
		n.awaitChanges(1)
	}
}

// A transaction that has an id from before the sleep but wrote nothing that
// is captured until then.
func TestOldTransactionRings(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int)")
	n, release := drowse(t, url, Options{})
	w := connect(t, url)
	w.do("begin; insert into other values (1)")
	release()
	n.awaitEvent(n.mark(), "polled", 3) // kept awake by it
	w.do("update posts set author_id = 99 where id = 1; commit")
	n.awaitChanges(1)
	n.awaitAsleep()
}

// An open transaction of another database keeps the reader from sleeping, and
// that must cost polls only.
func TestOtherDatabaseKeepsReaderDrowsy(t *testing.T) {
	url := database(t, postsSQL)
	elsewhere := connect(t, database(t, postsSQL))
	n, release := drowse(t, url, Options{})
	elsewhere.do("begin; update posts set title = ''")
	release()
	n.awaitEvent(n.mark(), "polled", 5)
	w := connect(t, url)
	w.do("update posts set author_id = 99 where id = 1")
	n.awaitChanges(1)
	n.update(func() {
		for _, e := range n.events {
			if e == "asleep" {
				t.Errorf("asleep while a transaction from before the mark is open: %v", n.events)
			}
		}
	})
	elsewhere.do("commit")
	n.awaitAsleep()
	w.do("update posts set author_id = 100 where id = 1")
	n.awaitChanges(2)
}

// While some writers ring and others do not, a bell must not be delivered ahead
// of an earlier change that nobody rang for.
func TestDrowsyKeepsOrder(t *testing.T) {
	url := database(t, postsSQL)
	n, release := drowse(t, url, Options{PollInterval: patience / 2}) // so that only the bell makes it look
	w, open := connect(t, url), connect(t, url)
	w.do("begin; update posts set author_id = 50 where id = 1")
	open.do("begin; update posts set author_id = 0 where id = 9") // keeps it drowsy
	release()
	w.do("commit")
	w.do("update posts set author_id = 51 where id = 1")
	if got, want := show(n.awaitChanges(2)), "update public.posts (1,1)→(1,50); update public.posts (1,50)→(1,51)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	open.do("rollback")
}

// Only what is left of a transaction is delivered, though all its statements
// may have rung.
func TestSavepoints(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	w.do(`begin;
		update posts set author_id = 50 where id = 1;
		savepoint a; update posts set author_id = 51 where id = 2; rollback to a;
		savepoint b; update posts set author_id = 52 where id = 3; release b;
		commit`)
	if got, want := show(n.awaitChanges(2)), "update public.posts (1,1)→(1,50); update public.posts (3,3)→(3,52)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.do("begin; update posts set author_id = 53 where id = 4; rollback; delete from posts where id = 5")
	n.awaitChanges(3)
	n.update(func() {
		if n.events[len(n.events)-1] != "asleep" {
			t.Errorf("bells woke the reader: %v", tail(n.events, 10))
		}
	})
}

// What was delivered from a bell is not delivered again by the polls after it,
// nor the other way about.
func TestBellAndPollAgree(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	for i := range 10 {
		w.do(fmt.Sprintf("update posts set author_id = %d where id = 1", 1000+i))
	}
	n.awaitChanges(10)
	// Too large for a payload: the bell says only that there is something.
	mark := n.mark()
	w.do(`begin; update posts set author_id = 5 where id = 2;
		insert into posts select g, g, '' from generate_series(1001, 2000) g;
		update posts set author_id = 6 where id = 1002; commit`)
	n.awaitChanges(1012)
	n.awaitEvent(mark, "polled", 1)
	w.do("update posts set author_id = 7 where id = 3")
	n.awaitChanges(1013)
}

// A storm of bells wakes the reader; calm lets it sleep again.
func TestStormWakes(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	mark := n.mark()
	const writes = 300
	w.do(fmt.Sprintf(`do $$ begin for i in 0 .. %d loop
		update posts set author_id = i where id = 1; commit;
	end loop; end $$`, writes-1))
	n.awaitEvent(mark, "awake", 1)
	changes := n.awaitChanges(writes)
	for i, c := range changes {
		if want := fmt.Sprint(i); c.New[1].Text != want {
			t.Fatalf("change %d is to %s", i, c.New[1].Text)
		}
	}
	n.awaitAsleep()
	w.do("delete from posts where id = 3")
	n.awaitChanges(writes + 1)
}

// The bell locks must not be waited for: someone else may hold one.
func TestBellLockTaken(t *testing.T) {
	url := database(t, postsSQL)
	w := connect(t, url)
	class := newNames("rowsync").Class
	w.do(fmt.Sprintf("select pg_advisory_lock(%d, 3)", class))
	n := start(t, url, Options{}, posts())
	n.awaitEvent(0, "polled", 5)
	other := connect(t, url)
	other.do("delete from posts where id = 1")
	n.awaitChanges(1)
	w.do(fmt.Sprintf("select pg_advisory_unlock(%d, 3)", class))
	n.awaitAsleep()
	other.do("delete from posts where id = 2")
	n.awaitChanges(2)
}

// A cancelled statement leaves no lock behind, nor does a normal one.
func TestNoLockLeaks(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{NoBell: false}, posts())
	n.awaitAsleep()
	w := connect(t, url)
	for i := range 50 {
		// The timeout hits somewhere in a statement, now and then in its trigger,
		// and sometimes only in the statement after the one that it was set for.
		for _, sql := range []string{
			fmt.Sprintf("update posts set author_id = %d where id = 1", i), fmt.Sprintf("set statement_timeout = %d", 1+i%3),
			"update posts set title = title || 'x'", "set statement_timeout = 0",
		} {
			w.PgConn().Exec(t.Context(), sql).ReadAll()
		}
	}
	for calm, attempt := 0, 0; calm < 2 && attempt < 100; attempt++ {
		if _, err := w.PgConn().Exec(t.Context(), "set statement_timeout = 0").ReadAll(); err != nil {
			calm = 0
			continue
		}
		calm++
	}
	if got := w.one("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"); got != "0" {
		t.Errorf("the writer still holds %s advisory locks", got)
	}
}

// Where commits that notify wait for each other, the reader wakes although the
// bells are rare.
func TestNotifyQueueWakes(t *testing.T) {
	server, err := pgtemp.Start(t.Context(), &pgtemp.Options{Config: map[string]string{
		// Each commit takes as long as on a slow disk, and holds the lock for as long.
		"fsync": "on", "synchronous_commit": "on", "commit_delay": "20000", "commit_siblings": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	url := server.Database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	mark := n.mark()
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer func() {
		stop()
		writing.Wait()
	}()
	for i := range 6 {
		w := connect(t, url)
		writing.Go(func() {
			for ctx.Err() == nil {
				w.do(fmt.Sprintf("update posts set author_id = author_id + 1 where id = %d", i+1))
			}
		})
	}
	n.awaitEvent(mark, "awake", 1)
}
