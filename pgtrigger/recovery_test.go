package pgtrigger

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/pgtemp"
)

// ledger accounts for rows that were inserted with ids from 1 on, each once.
type ledger struct {
	t    *testing.T
	w    *writer
	rows int
}

// write inserts rows, ten in a statement, at 1,000 a second until stop is closed.
func (l *ledger) write(stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			l.w.do(fmt.Sprintf("insert into posts select g, %d, '' from generate_series(%d, %d) g", l.rows, l.rows+1, l.rows+10))
			l.rows += 10
		}
	}
}

// check makes sure that every row was told once and in order. Rows that are
// missing are forgiven if a Reset of all tables was.
func (l *ledger) check(n *node) {
	l.t.Helper()
	n.await("the last row", func() bool {
		return len(n.changes) > 0 && n.changes[len(n.changes)-1].New[0].Text == fmt.Sprint(l.rows)
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	last, missing := 0, 0
	for _, c := range n.changes {
		var id int
		fmt.Sscan(c.New[0].Text, &id)
		if id <= last {
			l.t.Fatalf("row %d came after row %d", id, last)
		}
		missing += id - last - 1
		last = id
	}
	if missing > 0 && len(n.resets) == 0 {
		l.t.Errorf("%d of %d rows are missing, and there was no reset", missing, l.rows)
	}
	l.t.Logf("%d rows, %d of them missing, %d resets", l.rows, missing, len(n.resets))
}

const emptyPosts = "create table posts (id bigint primary key, author_id bigint, title text)"

// The reader's backend is ended fifty times while 1,000 rows are written each
// second: every row arrives once, and nothing was reset, for the journal holds
// all of it.
func TestKilledFiftyTimes(t *testing.T) {
	url := database(t, emptyPosts)
	log := newLogs(t)
	n := start(t, url, Options{Logger: log.logger(slog.LevelInfo)}, posts())
	l := &ledger{t: t, w: connect(t, url)}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() { l.write(stop) })
	killer := connect(t, url)
	for range 50 {
		mark := n.mark()
		n.awaitEvent(mark, "polled", 1)
		killer.cut()
		n.awaitEvent(mark, "awake", 1) // it is back
	}
	close(stop)
	writing.Wait()
	l.check(n)
	if len(n.resets) > 0 {
		t.Errorf("resets %v", n.resets)
	}
	if all := log.lines(); len(all) > 30 {
		t.Errorf("%d lines were logged:\n%s", len(all), strings.Join(all, "\n"))
	}
}

// ownServer returns a server that a test may stop.
func ownServer(t *testing.T) *pgtemp.Server {
	t.Helper()
	server, err := pgtemp.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	return server
}

// A server that is restarted is captured from again. What it did properly it
// did not lose; after a crash the journal is empty, and there is a Reset.
func TestServerRestarts(t *testing.T) {
	for _, mode := range []pgtemp.StopMode{pgtemp.Fast, pgtemp.Immediate} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := ownServer(t)
			url := server.Database(t, emptyPosts)
			log := newLogs(t)
			n := start(t, url, Options{Logger: log.logger(slog.LevelInfo)}, posts())
			l := &ledger{t: t}
			for round := range 3 {
				l.w = connect(t, url)
				stop := make(chan struct{})
				var writing sync.WaitGroup
				writing.Go(func() { l.write(stop) })
				n.await("rows", func() bool { return len(n.changes) > 100*round })
				close(stop)
				writing.Wait()
				l.w.Close(context.Background())
				if err := server.Restart(t.Context(), mode); err != nil {
					t.Fatal(err)
				}
				if mode == pgtemp.Immediate {
					n.awaitResets(round + 1)
				}
			}
			l.w = connect(t, url)
			l.w.do(fmt.Sprintf("insert into posts values (%d, 0, '')", l.rows+1))
			l.rows++
			l.check(n)
			if mode == pgtemp.Fast && len(n.resets) > 0 {
				t.Errorf("resets %v", n.resets)
			}
			log.await("level=WARN", "capture interrupted")
			log.await("level=INFO", "capture resumed", "away=", "attempts=")
		})
	}
}

// attempts counts the connections that a Source tries to make.
type attempts struct {
	mu      sync.Mutex
	at      []time.Time
	changed chan struct{}
}

// pool returns a pool whose connections are counted.
func (a *attempts) pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	a.changed = make(chan struct{})
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at = append(a.at, time.Now())
		close(a.changed)
		a.changed = make(chan struct{})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// await waits until there were count attempts since the mark, and returns them.
func (a *attempts) await(t *testing.T, mark, count int) []time.Time {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		a.mu.Lock()
		at, changed := a.at[mark:], a.changed
		a.mu.Unlock()
		if len(at) >= count {
			return at[:count]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d attempts, waited in vain for %d", len(at), count)
		}
	}
}

// While the server is away for some ten seconds, attempts to connect become
// rarer, are not logged one by one, and the first after its return succeeds.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := ownServer(t)
	url := server.Database(t, emptyPosts)
	tries, log := &attempts{}, newLogs(t)
	n := newNode(t, url, Options{Logger: log.logger(slog.LevelInfo)})
	n.src.pool = tries.pool(t, url)
	n.run(tablesOf(posts()))
	n.await("the start", func() bool { return n.started })
	n.awaitAsleep()
	connect(t, url).do("insert into posts values (1, 1, '')")
	n.awaitChanges(1)

	mark := len(tries.await(t, 0, 2)) // the reader's, and the pool's, which looked for leftovers
	began := time.Now()
	if err := server.Halt(t.Context(), pgtemp.Fast); err != nil {
		t.Fatal(err)
	}
	const count = 9 // after 20, 40, 80 … 2,560 ms, give or take a half, that is after 10 s or so
	at := tries.await(t, mark, count)
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	base := 20 * time.Millisecond
	for i := 1; i < count; i++ {
		base *= 2
		if pause := at[i].Sub(at[i-1]); pause < base/2 {
			t.Errorf("attempt %d came %v after the one before, want %v or more", i+1, pause, base/2)
		}
	}
	connect(t, url).do("insert into posts values (2, 1, '')")
	n.awaitChanges(2)
	t.Logf("away for %v: attempts after %v", time.Since(began), pauses(began, at))
	if lines := log.lines("interrupted"); len(lines) < 1 || len(lines) > 3 {
		t.Errorf("%d lines say that capture is interrupted:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	log.await("capture resumed", "away=", "attempts=")
}

func pauses(began time.Time, at []time.Time) []time.Duration {
	list := make([]time.Duration, len(at))
	for i, t := range at {
		list[i] = t.Sub(began).Round(time.Millisecond)
	}
	return list
}

// What starts many times over from nothing, eight at once, starts.
func TestStartTogetherFortyTimes(t *testing.T) {
	for round := range 40 {
		url := database(t, postsSQL)
		nodes := make([]*node, 8)
		for i := range nodes {
			nodes[i] = begin(t, url, Options{}, posts())
		}
		for _, n := range nodes {
			n.await("the start", func() bool { return n.started })
		}
		w := connect(t, url)
		w.do("delete from posts where id = 1")
		for _, n := range nodes {
			n.awaitChanges(1)
			n.stop()
			n.pool.Close()
		}
		if got := w.one(countTriggers); got != "4" {
			t.Fatalf("round %d: %s triggers, want 4", round, got)
		}
		w.Close(t.Context())
	}
}
