package rowsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestOracleWatchers holds what docs/delivery.md promises: random tables,
// watchers and Subscribers, random transactions of several connections at once,
// a reader that is killed, buffers that are too small; and every Subscriber was
// told exactly what a log that plain triggers keep says it had to be told, or a
// Reset in its place, which must have a reason.
//
// See withSeeds for how to replay a seed and how to run for long.
func TestOracleWatchers(t *testing.T) { withSeeds(t, []uint64{1}, oracleWatchers) }

// oracleRun is one run of the watchers' oracle.
type oracleRun struct {
	*database
	rng     *rand.Rand
	watches []*oracleWatch
	writers []*oracleWriter
	subs    []*oracleSub
	clients []*rowsync.Client // the second has small buffers
	seen    int64             // the last line of the log that was judged
	tally   struct{ changes, told, swallowed, kills int }
}

// oracleSub is a Subscriber, with what it follows and what it was told.
type oracleSub struct {
	*rowsync.Subscriber
	small  bool
	follow following
	told   [][]message
	done   chan struct{} // closed when the mark has come
}

func oracleWatchers(t *testing.T, seed uint64) int {
	t.Helper()
	r := newOracleRun(t, seed)
	const rounds = 10
	for round := range rounds {
		r.subscribe()
		r.write()
		if t.Failed() {
			break
		}
		r.judge(round)
	}
	ops := 0
	for _, w := range r.writers {
		ops += w.ops
	}
	t.Logf("%d statements, %+v", ops, r.tally)
	return ops
}

func newOracleRun(t *testing.T, seed uint64) *oracleRun {
	t.Helper()
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(seed, 2))
	tables := oracleTables(rng)
	sql := marked + auditSQL
	for _, table := range tables {
		sql += table.sql(rng)
	}
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, sql))
	r := &oracleRun{database: &database{db, t}, rng: rng, watches: oracleWatches(rng, tables)}
	ws := []rowsync.Watcher{marks}
	for _, w := range r.watches {
		ws = append(ws, w.Watch)
	}
	for _, buffer := range []int{1 << 20, 5} {
		client, err := rowsync.Open(ctx, db, &rowsync.Options{Watchers: ws, Buffer: buffer})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		r.clients = append(r.clients, client)
	}
	for n := range 3 {
		conn, err := pgx.Connect(ctx, db.Config().ConnString())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		if _, err := conn.Exec(ctx, "set deadlock_timeout = '10ms'"); err != nil {
			t.Fatal(err)
		}
		r.writers = append(r.writers, &oracleWriter{conn: conn, rng: rand.New(rand.NewPCG(seed, uint64(n)+10)), tables: tables})
	}
	return r
}

// subscribe lets Subscribers come and go, and what they follow, while nothing
// is written.
func (r *oracleRun) subscribe() {
	if len(r.subs) > 3 && r.rng.IntN(3) == 0 {
		r.subs[0].Close()
		r.subs = r.subs[1:]
	}
	for len(r.subs) < 6 {
		small := len(r.subs)%3 == 2
		client := r.clients[0]
		if small {
			client = r.clients[1]
		}
		r.subs = append(r.subs, &oracleSub{Subscriber: client.NewSubscriber(r.t.Context()), small: small, follow: following{}})
		r.check(r.subs[len(r.subs)-1].SubscribeTo(rowsync.Label(marks.Label)))
	}
	for _, s := range r.subs {
		for range 1 + r.rng.IntN(3) {
			a := randomTarget(r.rng, r.watches)
			r.check(s.SubscribeTo(a.target))
			s.follow.add(a)
		}
		if r.rng.IntN(2) == 0 {
			for _, items := range s.follow {
				for _, a := range items {
					if r.rng.IntN(4) == 0 {
						r.check(s.UnsubscribeFrom(a.target))
						s.follow.remove(a)
					}
				}
			}
		}
	}
}

func (r *oracleRun) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// write makes transactions at once, and ends when every Subscriber has been
// told of a mark that came after them. Some Subscribers take events meanwhile,
// others at the end.
func (r *oracleRun) write() {
	var first int64
	r.check(r.QueryRow(r.t.Context(), "select coalesce(max(id), 0) + 1 from marks").Scan(&first))
	ctx, cancel := context.WithTimeout(r.t.Context(), 60*time.Second)
	defer cancel()
	var takers, writers sync.WaitGroup
	late := make(chan struct{})
	for _, s := range r.subs {
		s.told, s.done = [][]message{nil}, make(chan struct{})
		wait := r.rng.IntN(2) == 0
		takers.Go(func() {
			defer close(s.done)
			if wait {
				<-late
			}
			s.take(ctx, r.t, first)
		})
	}
	for _, w := range r.writers {
		writers.Go(func() {
			for range 8 {
				w.transaction(ctx, r.t)
			}
		})
	}
	if r.rng.IntN(3) == 0 {
		r.tally.kills++
		killReader(ctx, r.t, r.Pool)
	}
	writers.Wait()
	close(late)
	// A buffer that is full swallows marks too.
	for _, s := range r.subs {
		for taken := false; !taken; {
			r.exec("insert into marks default values")
			select {
			case <-s.done:
				taken = true
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	takers.Wait()
}

// take takes events until the mark.
func (s *oracleSub) take(ctx context.Context, t testing.TB, mark int64) {
	t.Helper()
	for ev, err := range s.Events(ctx) {
		switch {
		case err != nil:
			t.Errorf("no mark came: %v", err)
			return
		case ev.Label == marks.Label:
			if id, _ := strconv.ParseInt(ev.Key()[0].Text, 10, 64); id >= mark {
				return
			}
		case ev.Reset != nil && ev.Reset.Table == nil:
			if !s.small {
				t.Errorf("Reset without a cause: %s", ev)
			}
			s.told = append(s.told, nil)
		default:
			last := &s.told[len(s.told)-1]
			*last = append(*last, heard(ev))
		}
	}
}

// judge compares what each Subscriber was told with the log.
func (r *oracleRun) judge(round int) {
	r.t.Helper()
	log := r.readLog()
	r.tally.changes += len(log)
	for i, s := range r.subs {
		for _, piece := range s.told {
			r.tally.told += len(piece)
		}
		r.tally.swallowed += len(s.told) - 1
		if err := verdict(s.told, s.follow.expected(r.watches, log)); err != nil {
			targets := ""
			for _, items := range s.follow {
				for _, a := range items {
					targets += fmt.Sprintf("\n\t%s (%s)", a.target, a.ops)
				}
			}
			lines := ""
			for _, c := range log {
				was, _ := json.Marshal(c.was)
				now, _ := json.Marshal(c.now)
				lines += fmt.Sprintf("\n\t%d: %d/%d %s %s %s → %s", c.seq, c.xid, c.step, c.table, c.op, was, now)
			}
			told := ""
			for _, piece := range s.told {
				told += "\n\t" + texts(piece)
			}
			r.t.Fatalf("round %d: Subscriber %d (small: %v): %v\nit follows%s\nit was told%s\nlog%s", round, i, s.small, err, targets, told, lines)
		}
	}
}

// readLog returns what was logged since the last time.
func (r *oracleRun) readLog() (log []*audited) {
	r.t.Helper()
	rows, err := r.Query(r.t.Context(), "select seq, xid, step, verb, tab, op, was, now, changed from audit where seq > $1 order by seq", r.seen)
	r.check(err)
	ops := map[string]rowsync.Op{"insert": rowsync.Inserted, "update": rowsync.Updated, "delete": rowsync.Deleted, "truncate": rowsync.Truncated}
	log, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*audited, error) {
		var c audited
		var op string
		err := row.Scan(&c.seq, &c.xid, &c.step, &c.verb, &c.table, &op, &c.was, &c.now, &c.changed)
		c.op = ops[op]
		return &c, err
	})
	r.check(err)
	if len(log) > 0 {
		r.seen = log[len(log)-1].seq
	}
	return r.joinParts(log)
}

// joinParts makes one line of what the log has of a partitioned table in two,
// and rowsync tells as one: the DELETE and INSERT of a row that an UPDATE moved
// to another partition, and TRUNCATEs with nothing between them.
func (r *oracleRun) joinParts(log []*audited) (out []*audited) {
	type place struct {
		xid   int64
		table string
	}
	last := map[place]*audited{}
	for _, c := range log {
		at := place{c.xid, c.table}
		b := last[at]
		switch {
		case b == nil || !tableOf(r.watches, c.table).parts:
		case b.op == rowsync.Truncated && c.op == rowsync.Truncated:
			continue
		case b.op == rowsync.Deleted && c.op == rowsync.Inserted && b.step == c.step && b.verb == "update":
			b.op, b.now, b.changed = rowsync.Updated, c.now, nil
			for column, was := range b.was {
				if now := b.now[column]; (was == nil) != (now == nil) || was != nil && *was != *now {
					b.changed = append(b.changed, column)
				}
			}
			continue
		}
		last[at] = c
		out = append(out, c)
	}
	return out
}
