package pgtrigger

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/pgtemp"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The shared server ends with the process.
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"), goleak.IgnoreAnyFunction("os.(*Process).Wait"))
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// node is a Source that runs, with all that it told its Sink.
type node struct {
	t    testing.TB
	src  *Source
	pool *pgxpool.Pool
	stop func() error // ends the run and returns its error

	onStart, onReset func() // called on the reader's goroutine

	mu      sync.Mutex
	changed chan struct{} // closed when anything below changes
	started bool
	changes []capture.Change
	bursts  [][]capture.Change
	resets  []capture.Reset
	events  []event
	ended   error
	hold    map[event]chan struct{} // events that wait until their channel is closed
}

func (n *node) update(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) Started() {
	if n.onStart != nil {
		n.onStart()
	}
	n.update(func() { n.started = true })
}
func (n *node) Deliver(c []capture.Change) {
	n.update(func() { n.changes, n.bursts = append(n.changes, c...), append(n.bursts, c) })
}
func (n *node) Reset(r capture.Reset) {
	if n.onReset != nil {
		n.onReset()
	}
	n.update(func() { n.resets = append(n.resets, r) })
}
func (n *node) happened(e event) {
	var gate chan struct{}
	n.update(func() { n.events = append(n.events, e); gate = n.hold[e] })
	if gate != nil {
		<-gate
	}
}

// await waits until the condition, called under the node's lock, is true.
func (n *node) await(what string, condition func() bool) {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		done, changed, ended := condition(), n.changed, n.ended
		n.mu.Unlock()
		switch {
		case done:
			return
		case ended != nil:
			n.t.Fatalf("waiting for %s: Run returned %v", what, ended)
		}
		select {
		case <-changed:
		case <-deadline:
			n.t.Fatalf("waited in vain for %s; %s", what, n.state())
		}
	}
}

// state says what has come so far.
func (n *node) state() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf("events %v, %d changes, resets %v", tail(n.events, 10), len(n.changes), n.resets)
}

func tail[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

// mark returns the number of events so far, for awaitEvent.
func (n *node) mark() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events)
}

// awaitEvent waits until the event has happened count times since the mark.
func (n *node) awaitEvent(mark int, e event, count int) {
	n.t.Helper()
	n.await(fmt.Sprintf("%d × %q", count, e), func() bool {
		seen := 0
		for _, happened := range n.events[mark:] {
			if happened == e {
				seen++
			}
		}
		return seen >= count
	})
}

// awaitAsleep waits until the reader sleeps.
func (n *node) awaitAsleep() {
	n.t.Helper()
	n.await("the reader to sleep", func() bool {
		for _, e := range slices.Backward(n.events) {
			switch e {
			case "asleep":
				return true
			case "awake", "drowsy":
				return false
			}
		}
		return false
	})
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.changes)
}

// awaitChanges waits until there are count changes, makes sure that there are
// no more, and returns them.
func (n *node) awaitChanges(count int) []capture.Change {
	n.t.Helper()
	n.await(fmt.Sprintf("%d changes", count), func() bool { return len(n.changes) >= count })
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.changes) > count {
		n.t.Fatalf("%d changes, want %d: %s", len(n.changes), count, show(n.changes))
	}
	return n.changes
}

func (n *node) awaitResets(count int) []capture.Reset {
	n.t.Helper()
	n.await(fmt.Sprintf("%d resets", count), func() bool { return len(n.resets) >= count })
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.resets
}

func show(changes []capture.Change) string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s→%s", c.Op, c.Table, showRow(c.Old), showRow(c.New)))
	}
	return strings.Join(lines, "; ")
}

func showRow(r capture.Row) string {
	if r == nil {
		return "∅"
	}
	var texts []string
	for _, v := range r {
		if v.Null {
			texts = append(texts, "null")
		} else {
			texts = append(texts, v.Text)
		}
	}
	return "(" + strings.Join(texts, ",") + ")"
}

// quiet keeps expected warnings out of the output, unless it is asked for.
func quiet() *slog.Logger {
	if testing.Verbose() && os.Getenv("ROWSYNC_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// start runs a Source on the database until the test ends, and returns once it
// has started. The safety poll is off unless opts sets it.
func start(t testing.TB, url string, opts Options, tables ...*capture.Table) *node {
	t.Helper()
	n := begin(t, url, opts, tables...)
	n.await("the start", func() bool { return n.started })
	return n
}

// begin is start without the waiting.
func begin(t testing.TB, url string, opts Options, tables ...*capture.Table) *node {
	t.Helper()
	if opts.SafetyPoll == 0 {
		opts.SafetyPoll = -1
	}
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	n := newNode(t, url, opts)
	n.run(tables)
	return n
}

// newNode makes a node that does not run yet.
func newNode(t testing.TB, url string, opts Options) *node {
	t.Helper()
	n := &node{t: t, changed: make(chan struct{}), hold: map[event]chan struct{}{}}
	n.pool = newPool(t, url)
	n.src = New(n.pool, &opts)
	n.src.trace = n.happened
	return n
}

func (n *node) run(tables []*capture.Table) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := n.src.Run(ctx, tables, n)
		n.update(func() { n.ended = err })
	}()
	n.stop = sync.OnceValue(func() error {
		cancel()
		<-done
		return n.ended
	})
	n.t.Cleanup(func() { n.stop() })
}

func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// writer is a session of the application.
type writer struct {
	t testing.TB
	*pgx.Conn
}

func connect(t testing.TB, url string) *writer {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return &writer{t, conn}
}

// do runs any number of statements.
func (w *writer) do(sql string) {
	w.t.Helper()
	if _, err := w.PgConn().Exec(context.Background(), sql).ReadAll(); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// one returns the first value of a query as text.
func (w *writer) one(sql string) string {
	w.t.Helper()
	results, err := w.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	last := results[len(results)-1]
	if len(last.Rows) == 0 {
		w.t.Fatalf("%s: no rows", sql)
	}
	return string(last.Rows[0][0])
}

// database returns the URL of a new database.
func database(t testing.TB, setup ...string) string {
	t.Helper()
	return pgtemp.Shared(t).Database(t, setup...)
}

const postsSQL = `create table posts (id bigint primary key, author_id bigint, title text);
	insert into posts select g, g % 10, 'post ' || g from generate_series(1, 100) g;`

func posts() *capture.Table {
	return &capture.Table{Schema: "public", Name: "posts", Key: []string{"id"}, Columns: []string{"author_id"}}
}

func tablesOf(tables ...*capture.Table) []*capture.Table { return tables }
