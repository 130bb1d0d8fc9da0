package rowsync_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// Each update of a row of counters adds one to n. So every change that is told
// says whether it is the next one of its row, and the table says at the end
// whether any is lacking.
const countersSQL = `create table counters (id int primary key, n bigint not null default 0);
	insert into counters select generate_series(1, 100);`

// ledger is what a follower of counters knows.
type ledger struct {
	db  *pgxpool.Pool
	sub *rowsync.Subscriber

	have   map[string]int64 // by row, what it was told last or has read
	read   map[string]int64 // what it read after the last Reset
	events int
	resets []string
}

// openLedger opens a Client on the counters of a database and follows them.
func openLedger(t *testing.T, db *pgxpool.Pool) *ledger {
	t.Helper()
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: []rowsync.Watcher{
		rowsync.Watch{Table: "counters", Label: "counters", ExtraColumns: []string{"n"}},
	}, Buffer: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	l := &ledger{db: db, sub: client.NewSubscriber(t.Context())}
	if err := l.sub.SubscribeTo(rowsync.Label("counters")); err != nil {
		t.Fatal(err)
	}
	l.have = l.load(t)
	l.read = l.load(t)
	return l
}

// load reads the table, trying again while the server is away.
func (l *ledger) load(t *testing.T) map[string]int64 {
	t.Helper()
	for {
		rows, err := l.db.Query(t.Context(), "select id::text, n from counters")
		n := map[string]int64{}
		if err == nil {
			var row string
			var count int64
			_, err = pgx.ForEachRow(rows, []any{&row, &count}, func() error { n[row] = count; return nil })
		}
		if err == nil {
			return n
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// take takes one event in. A change must be the next of its row, unless it is
// from before what was read after a Reset.
func (l *ledger) take(t *testing.T, ev rowsync.Event) {
	t.Helper()
	if ev.Reset != nil {
		l.resets = append(l.resets, fmt.Sprintf("%s (%v)", ev, ev.Reset.Err))
		l.read = l.load(t)
		l.have = maps.Clone(l.read)
		return
	}
	l.events++
	var was, now int64
	if err := ev.ScanOld("n", &was); err != nil {
		t.Fatal(err)
	}
	if err := ev.Scan("n", &now); err != nil {
		t.Fatal(err)
	}
	row := ev.Key()[0].Text
	switch {
	case now == l.have[row]+1 && was == l.have[row]:
		l.have[row] = now
	case now > l.read[row]:
		t.Fatalf("row %s was told %d → %d, and %d before it", row, was, now, l.have[row])
	}
}

// until takes events in until the condition holds.
func (l *ledger) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for !condition() {
		for ev, err := range l.sub.Events(ctx) {
			if err != nil {
				t.Fatalf("waited in vain for %s: %d events, resets %q", what, l.events, l.resets)
			}
			l.take(t, ev)
			break
		}
	}
}

// untilAll takes events in until nothing lacks of what is in the table, which
// nobody writes to any more.
func (l *ledger) untilAll(t *testing.T) {
	t.Helper()
	l.until(t, "every change", func() bool { return fmt.Sprint(l.have) == fmt.Sprint(l.load(t)) })
	t.Logf("%d events, %d resets", l.events, len(l.resets))
}

// writeCounters begins to write 1,000 rows in a second from several
// connections, and goes on whatever happens to the server; stop ends it.
func writeCounters(t *testing.T, db *pgxpool.Pool) (stop func()) {
	t.Helper()
	const writers, rows = 4, 10
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			tick := time.NewTicker(time.Second / (1000 / rows / writers))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					// What fails, for the server is away, did not happen or did:
					// the table knows.
					_, _ = db.Exec(ctx, "update counters set n = n + 1 where id between $1 and $1 + $2 - 1", 1+rand.IntN(91), rows)
				}
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// TestKilledReader: the connection that reads is killed 50 times while 1,000
// rows a second are written. Each change comes, once and in its order, or a
// Reset does.
func TestKilledReader(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, countersSQL))
	l := openLedger(t, db)
	stop := writeCounters(t, db)
	for kills := 0; kills < 50; {
		// One that has just come is let live until it has read.
		next := l.events + 1 + rand.IntN(50)
		l.until(t, "events between kills", func() bool { return l.events >= next })
		tag, err := db.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = 'rowsync' and datname = current_database()`)
		if err != nil {
			t.Fatal(err)
		}
		kills += int(tag.RowsAffected())
	}
	stop()
	l.untilAll(t)
	if len(l.resets) > 0 {
		t.Errorf("resets %q: a connection that is lost and comes back loses nothing", l.resets)
	}
}

// TestFaultRestart: a restart of the database kills EctoWatch's supervisor, and
// nothing tries again. Here the Subscriber goes on by itself, and gets a Reset
// where changes may have been missed: after a crash.
func TestFaultRestart(t *testing.T) {
	server, err := pgtemp.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	away := 2 * time.Second
	if os.Getenv("ROWSYNC_SOAK") != "" {
		away = 10 * time.Second
	}
	stopped := func(ctx context.Context) error {
		if err := server.Halt(ctx, pgtemp.Fast); err != nil {
			return err
		}
		select {
		case <-time.After(away): // how long it is away is what is tested
		case <-ctx.Done():
		}
		return server.Resume(ctx)
	}
	db := openPool(t.Context(), t, server.Database(t, countersSQL))
	l := openLedger(t, db)
	for _, interruption := range []struct {
		name  string
		crash bool
		run   func(ctx context.Context) error
	}{
		{"fast restart", false, func(ctx context.Context) error { return server.Restart(ctx, pgtemp.Fast) }},
		{"immediate restart", true, func(ctx context.Context) error { return server.Restart(ctx, pgtemp.Immediate) }},
		{"stopped for a while", false, stopped},
	} {
		stop := writeCounters(t, db)
		events, resets := l.events, len(l.resets)
		l.until(t, "events before the "+interruption.name, func() bool { return l.events > events+50 })
		if err := interruption.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		events = l.events
		l.until(t, "events after the "+interruption.name, func() bool { return l.events > events+200 && (len(l.resets) > resets || !interruption.crash) })
		t.Logf("%s: 200 events after %v", interruption.name, time.Since(began).Round(time.Millisecond))
		stop()
		l.untilAll(t)
		if got := len(l.resets) - resets; interruption.crash != (got > 0) {
			t.Errorf("%s: resets %q", interruption.name, l.resets[resets:])
		}
	}
}
