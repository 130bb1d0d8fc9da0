package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/pgtemp"
)

// cut ends the sessions of all readers of the database.
func (w *writer) cut() {
	w.t.Helper()
	w.do("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rowsync' and datname = current_database()")
}

// What is committed while the connection is lost arrives, once.
func TestResume(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	w := connect(t, url)
	open := connect(t, url)
	open.do("begin; update posts set author_id = 40 where id = 4")
	w.do("update posts set author_id = 10 where id = 1")
	n.awaitChanges(1)
	mark := n.mark()
	w.cut()
	w.do("update posts set author_id = 20 where id = 2")
	open.do("commit")
	n.awaitChanges(3)
	n.awaitEvent(mark, "awake", 1)
	n.awaitAsleep()
	w.do("update posts set author_id = 30 where id = 3")
	n.awaitChanges(4)
	if len(n.resets) > 0 {
		t.Errorf("resets: %v", n.resets)
	}
}

// floorAhead says that entries were removed which no reader has seen.
const floorAhead = `update rowsync.state set floor = format('%1$s:%1$s:', pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000)::pg_snapshot`

// A journal that does not reach back to the last change seen, for whatever
// reason, is a Reset, and what comes after it is captured.
func TestReset(t *testing.T) {
	for _, c := range []struct {
		name, sql, reason string
		cut               bool
	}{
		{name: "crash", sql: "begin; truncate rowsync.state; truncate rowsync.journal; commit", reason: "anew"},
		{name: "crash while away", sql: "begin; truncate rowsync.state; truncate rowsync.journal; commit", reason: "anew", cut: true},
		{name: "journal truncated", sql: "truncate rowsync.journal", reason: "anew"},
		{name: "journal truncated while away", sql: "truncate rowsync.journal", reason: "anew", cut: true},
		{name: "other cluster", sql: "update rowsync.state set identity = 'elsewhere'", reason: "anew", cut: true},
		{name: "retention", sql: floorAhead, reason: "no longer holds"},
		{name: "retention while away", sql: floorAhead, reason: "no longer holds", cut: true},
		{name: "journal dropped", sql: "drop table rowsync.journal", reason: "anew"},
		{name: "everything dropped", sql: "drop schema rowsync cascade", reason: "anew"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := database(t, postsSQL)
			n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts())
			w := connect(t, url)
			w.do("update posts set author_id = 10 where id = 1")
			n.awaitChanges(1)
			if c.cut {
				w.do("begin") // so that the reader is away when it happens
				w.cut()
			}
			w.do(c.sql)
			if c.cut {
				w.do("commit")
				w.cut() // again, for it may have come back before the commit
			}
			resets := n.awaitResets(1)
			if resets[0].Table != nil || !strings.Contains(resets[0].Reason, c.reason) {
				t.Errorf("reset %+v, want one of all tables because of %q", resets[0], c.reason)
			}
			// Whatever is committed after the Reset arrives.
			before := n.count()
			w.do("update posts set author_id = 20 where id = 2")
			n.await("a change after the reset", func() bool { return len(n.changes) == before+1 })
		})
	}
}

// What is committed while the sink is told of the start, or of a Reset, arrives:
// a load that either causes misses nothing.
func TestChangesDuringStartAndReset(t *testing.T) {
	url := database(t, postsSQL)
	w := connect(t, url)
	n := newNode(t, url, Options{SafetyPoll: 20 * time.Millisecond, Logger: quiet()})
	n.onStart = func() { w.do("update posts set author_id = 10 where id = 1") }
	n.onReset = func() { w.do("update posts set author_id = 20 where id = 2") }
	n.run(tablesOf(posts()))
	n.awaitChanges(1)
	connect(t, url).do("truncate rowsync.journal")
	n.awaitResets(1)
	if got, want := show(n.awaitChanges(2)), "update public.posts (1,1)→(1,10); update public.posts (2,2)→(2,20)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A server that is killed comes back with an empty journal.
func TestServerCrash(t *testing.T) {
	server, err := pgtemp.Start(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	url := server.Database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	w := connect(t, url)
	w.do("checkpoint; update posts set author_id = 10 where id = 1")
	n.awaitChanges(1)
	// A backend killed makes the server restart all others and recover.
	w.PgConn().Exec(t.Context(), "copy (select 1) to program 'kill -9 $PPID'").ReadAll()
	resets := n.awaitResets(1)
	if resets[0].Table != nil {
		t.Errorf("reset of %v, want all tables", resets[0].Table)
	}
	again := connect(t, url)
	again.do("update posts set author_id = 20 where id = 2")
	n.awaitChanges(2)
}

// Triggers that were gone are put back, and their table is reset.
func TestTriggersDropped(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int primary key)")
	other := &capture.Table{Schema: "public", Name: "other", Key: []string{"id"}}
	n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts(), other)
	w := connect(t, url)
	w.do(`drop table posts; create table posts (id bigint primary key, author_id bigint, title text);
		insert into posts values (1, 1, '')`)
	w.cut() // or wait for the next check
	resets := n.awaitResets(1)
	if resets[0].Table == nil || resets[0].Table.Name != "posts" {
		t.Errorf("reset %+v, want of posts", resets[0])
	}
	w.do("insert into posts values (2, 2, ''); insert into other values (1)")
	n.awaitChanges(2)
}

// A table that is gone does not keep the others from being followed.
func TestTableDropped(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int primary key)")
	other := &capture.Table{Schema: "public", Name: "other", Key: []string{"id"}}
	n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts(), other)
	w := connect(t, url)
	w.do("drop table posts")
	w.cut()
	w.do("insert into other values (1)")
	n.awaitChanges(1)
	if lost := n.awaitResets(1)[0]; lost.Table == nil || lost.Table.Name != "posts" || lost.Err == nil {
		t.Errorf("reset %+v, want of posts with an error", lost)
	}
	w.do("create table posts (id bigint primary key, author_id bigint, title text)")
	w.cut()
	if back := n.awaitResets(2)[1]; back.Table == nil || back.Table.Name != "posts" || back.Err != nil {
		t.Errorf("reset %+v, want of posts without an error", back)
	}
	w.do("insert into posts values (2, 2, '')")
	n.awaitChanges(2)
}

// Cleaning removes what is old enough, keeps the rest, and does not disturb a
// reader that keeps up; one that was away for longer is reset.
func TestCleaning(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{SafetyPoll: 20 * time.Millisecond}, posts())
	w := connect(t, url)
	clean := func() int {
		t.Helper()
		removed, err := n.src.clean(t.Context(), 0) // what was there at the last call is old
		if err != nil {
			t.Fatal(err)
		}
		return removed
	}
	entries := func(want string) {
		t.Helper()
		if got := w.one("select count(*) from rowsync.journal"); got != want {
			t.Fatalf("%s entries in the journal, want %s", got, want)
		}
	}
	w.do(`do $$ begin for i in 1 .. 5000 loop update posts set author_id = i where id = 1; end loop; end $$`)
	n.awaitChanges(5000)
	open := connect(t, url)
	open.do("begin; update posts set author_id = 3 where id = 3")
	entries("5000")
	if removed := clean(); removed != 0 { // the first only takes a snapshot
		t.Errorf("%d entries removed that are not known to be old", removed)
	}
	w.do("update posts set author_id = 4 where id = 4")
	if removed := clean(); removed != 5000 {
		t.Errorf("%d entries removed, want 5000", removed)
	}
	entries("1")
	open.do("commit")
	n.awaitChanges(5002)
	clean()
	clean()
	entries("0")
	if len(n.resets) > 0 {
		t.Fatalf("resets: %v", n.resets)
	}

	// Away while two rounds go by.
	gate := make(chan struct{})
	n.update(func() { n.hold["polled"] = gate })
	n.awaitEvent(n.mark(), "polled", 1)
	w.do("update posts set author_id = 5 where id = 5")
	clean()
	clean()
	entries("0")
	n.update(func() { delete(n.hold, "polled") })
	close(gate)
	n.awaitResets(1)
	w.do("update posts set author_id = 6 where id = 6")
	// That of id 5 may have been rung for, and then comes beside the Reset.
	n.await("the change after the reset", func() bool {
		last := n.changes[len(n.changes)-1]
		return last.New != nil && last.New[0].Text == "6"
	})
}

// The context's end ends Run at once in every mode, and a dead network does not.
func TestStopWhileAway(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	n.awaitAsleep()
	admin := connect(t, pgtemp.Shared(t).URL())
	name := connect(t, url).one("select current_database()")
	admin.do(fmt.Sprintf("alter database %s allow_connections false", ident(name)))
	admin.do(fmt.Sprintf("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rowsync' and datname = %s", literal(name)))
	time.Sleep(50 * time.Millisecond) // it is between attempts, or in one
	if err := n.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	admin.do(fmt.Sprintf("alter database %s allow_connections true", ident(name)))
}

// proxy stands between a reader and the server. A frozen connection stays
// open and says nothing any more, as when a cable is cut.
type proxy struct {
	url    string
	mu     sync.Mutex
	frozen []chan struct{} // closed to freeze the connection
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	config, err := pgx.ParseConfig(target)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", config.User, listener.Addr(), config.Database)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial(network, address)
			if err != nil {
				near.Close()
				return
			}
			freeze := make(chan struct{})
			p.mu.Lock()
			p.frozen = append(p.frozen, freeze)
			p.mu.Unlock()
			pass := func(to, from net.Conn) {
				data := make([]byte, 1<<16)
				for {
					n, err := from.Read(data)
					select {
					case <-freeze: // nothing passes, not even the end
						<-t.Context().Done()
						err = net.ErrClosed
					default:
					}
					if err != nil {
						to.Close()
						from.Close()
						return
					}
					to.Write(data[:n])
				}
			}
			all.Go(func() { pass(near, far) })
			all.Go(func() { pass(far, near) })
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return p
}

// freeze freezes all connections there are; later ones pass.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.frozen {
		close(c)
	}
	p.frozen = nil
}

// A connection that is dead without having been closed is noticed by the
// safety poll, and nothing is lost.
func TestHalfOpenConnection(t *testing.T) {
	url := database(t, postsSQL)
	p := newProxy(t, url)
	n := newNode(t, p.url, Options{SafetyPoll: 50 * time.Millisecond, Logger: quiet()})
	n.src.patience = 100 * time.Millisecond
	n.run(tablesOf(posts()))
	n.awaitAsleep()
	p.freeze()
	w := connect(t, url)
	w.do("update posts set author_id = 10 where id = 1")
	n.awaitChanges(1)
	n.awaitAsleep()
	w.do("update posts set author_id = 20 where id = 2")
	n.awaitChanges(2)
	if len(n.resets) > 0 {
		t.Errorf("resets: %v", n.resets)
	}
}

// Run ends soon after its context, whatever it is doing, and leaves nothing.
func TestStopAnytime(t *testing.T) {
	url := database(t, postsSQL)
	start(t, url, Options{}, posts()).stop()
	for range 60 {
		n := begin(t, url, Options{}, posts())
		time.Sleep(rand.N(30 * time.Millisecond)) // any moment will do
		began := time.Now()
		if err := n.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("Run took %v to end", took)
		}
		n.pool.Close()
	}
	w := connect(t, url)
	for end := time.Now().Add(patience); w.one(readers) != "0"; {
		if time.Now().After(end) {
			t.Fatalf("%s readers are left", w.one(readers))
		}
	}
}

// readers counts the connections of readers.
const readers = "select count(*) from pg_stat_activity where application_name = 'rowsync' and datname = current_database()"
