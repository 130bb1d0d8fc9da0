package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// asProgram makes the test binary be the program itself.
const asProgram = "ROWSYNC_TEST_AS_PROGRAM"

// TestMain shows that nothing outlives the subcommands.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	for _, name := range []string{"DATABASE_URL", "ROWSYNC_CLEANUP"} {
		_ = os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// stream is where a subcommand writes while a test reads.
type stream struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // holds a token after a write
}

func newStream() *stream { return &stream{written: make(chan struct{}, 1)} }

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.written <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// started is a subcommand that runs beside the test.
type started struct {
	out, err  *stream
	interrupt context.CancelFunc
	status    chan int
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// start runs the program. When the test ends it is interrupted.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	return startWith(t, cli.Streams{}, args...)
}

// startWith is start with streams; those that are nil are the test's own.
func startWith(t *testing.T, std cli.Streams, args ...string) *started {
	t.Helper()
	s := &started{out: newStream(), err: newStream(), status: make(chan int, 1)}
	if std.Out == nil {
		std.Out = s.out
	}
	std.Err = s.err
	ctx, interrupt := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.status <- run(ctx, args, std)
	}()
	s.interrupt = interrupt
	t.Cleanup(func() {
		interrupt()
		<-ended
	})
	return s
}

// watching starts the subcommand watch and waits until it watches.
func watching(t *testing.T, args ...string) *started {
	t.Helper()
	s := start(t, append([]string{"watch"}, args...)...)
	s.await(t, s.err, "  watching ")
	return s
}

// await waits until a stream contains a text.
func (s *started) await(t *testing.T, in *stream, text string) {
	t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(in.String(), text) {
		select {
		case <-in.written:
		case status := <-s.status:
			s.status <- status
			if !strings.Contains(in.String(), text) {
				t.Fatalf("ended with status %d and without %q\nstdout: %s\nstderr: %s", status, text, s.out, s.err)
			}
		case <-timeout:
			t.Fatalf("waited in vain for %q\nstdout: %s\nstderr: %s", text, s.out, s.err)
		}
	}
}

// wait waits until the program has ended by itself.
func (s *started) wait(t *testing.T, status int) {
	t.Helper()
	select {
	case got := <-s.status:
		if got != status {
			t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", got, status, s.out, s.err)
		}
	case <-time.After(patience):
		t.Fatalf("it does not end\nstdout: %s\nstderr: %s", s.out, s.err)
	}
}

// end interrupts the program, as Ctrl-C does.
func (s *started) end(t *testing.T) {
	t.Helper()
	s.interrupt()
	s.wait(t, 0)
}

// call runs the program to its end and returns what it printed.
func call(t *testing.T, status int, args ...string) (out, errs string) {
	t.Helper()
	s := start(t, args...)
	s.wait(t, status)
	return s.out.String(), s.err.String()
}

// execute runs statements as the database's superuser.
func execute(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn := connected(t, url)
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// query returns the one value that a statement yields.
func query[T any](t *testing.T, url, sql string, args ...any) (value T) {
	t.Helper()
	conn := connected(t, url)
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func connected(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// installed counts what rowsync has in a database.
func installed(t *testing.T, url string) int {
	t.Helper()
	return query[int](t, url, `
		select (select count(*) from pg_trigger where tgname like 'rowsync\_%')
			+ (select count(*) from pg_proc where proname like 'capture\_%')
			+ (select count(*) from pg_namespace where nspname like 'rowsync%')`)
}

func wantNothingLeft(t *testing.T, url string) {
	t.Helper()
	if n := installed(t, url); n != 0 {
		t.Errorf("%d triggers, functions and schemas are left", n)
	}
}

var clockTime = regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`)

// timeless replaces the times of day, which differ each time.
func timeless(text string) string { return clockTime.ReplaceAllString(text, "hh:mm:ss.mmm") }

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	want = strings.TrimPrefix(want, "\n")
	if got = timeless(got); got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

func wantContains(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(got, text) {
			t.Errorf("%s lacks %q:\n%s", what, text, got)
		}
	}
}
