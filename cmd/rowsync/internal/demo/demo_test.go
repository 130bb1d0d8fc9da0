package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/pgtemp"
)

// runJSON runs the demo with --json and returns what it printed.
func runJSON(t *testing.T, args ...string) *result {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"--for", "3s", "--json", "--rate", "400"}, args...)
	err := Run(t.Context(), args, cli.Streams{Out: &out, Err: &errs})
	t.Logf("%s%s", &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(errs.String(), "transaction refused") {
		t.Error("a statement of the writers is wrong")
	}
	var r result
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("stdout is no JSON object: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("there is more than one object on stdout: %v", err)
	}
	return &r
}

func (r *result) check(t *testing.T) {
	t.Helper()
	switch {
	case !r.Equal || r.Difference != "":
		t.Errorf("held and fresh differ: %s", r.Difference)
	case r.ChangesCommitted < 600 || r.ChangesCommitted > 2400:
		t.Errorf("%d changes in 3 s at 400/s", r.ChangesCommitted)
	case r.ChangesCaptured != r.ChangesCommitted:
		t.Errorf("%d changes captured of %d committed", r.ChangesCaptured, r.ChangesCommitted)
	case r.EventsReceived == 0 || r.EventsReceived > r.ChangesCaptured:
		t.Errorf("%d events of %d changes", r.EventsReceived, r.ChangesCaptured)
	case r.RowsLoaded == 0 || r.Statements == 0:
		t.Errorf("%d rows loaded by %d statements", r.RowsLoaded, r.Statements)
	case r.Samples == 0 || r.P50 == nil || r.P99 == nil:
		t.Error("nothing was timed")
	case *r.P50 <= 0 || *r.P50 > *r.P99 || *r.P99 > 3000:
		t.Errorf("p50 %v ms, p99 %v ms", *r.P50, *r.P99)
	case r.Writers != 3 || r.Seed != 11 || r.Postgres == "" || r.Seconds < 3:
		t.Error("the settings are not those given")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	r := runJSON(t, "--writers", "3", "--seed", "11")
	r.check(t)
	if r.Kills != 0 {
		t.Errorf("%d kills without --chaos", r.Kills)
	}
}

func TestChaosOnGivenServer(t *testing.T) {
	t.Parallel()
	// A server of its own: other tests have databases on the shared one meanwhile.
	server, err := pgtemp.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	r := runJSON(t, "--writers", "3", "--seed", "11", "--chaos", "--database-url", server.URL())
	r.check(t)
	if r.Kills == 0 {
		t.Error("the reader's connection was never killed")
	}
	if left := databases(t, server.URL()); left != 0 {
		t.Errorf("%d databases of the demo are left", left)
	}
}

func databases(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(t.Context(), `select count(*) from pg_database where datname like 'rowsync\_demo\_%'`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// interrupter ends a context, as Ctrl-C does, when enough lines were printed.
type interrupter struct {
	bytes.Buffer
	after     int
	interrupt context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	n, err := i.Buffer.Write(p)
	if strings.Count(i.String(), "\n") >= i.after {
		i.interrupt()
	}
	return n, err
}

func TestLinesUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out := &interrupter{after: 3, interrupt: interrupt}
	var errs bytes.Buffer
	if err := Run(ctx, []string{"--seed", "12"}, cli.Streams{Out: out, Err: &errs}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s%s", out, &errs)
	printed := strings.Split(strings.TrimSpace(out.String()), "\n")
	if first := printed[0]; !strings.Contains(first, "seed 12") || !strings.Contains(first, "join in: ") {
		t.Errorf("the first line is %q", first)
	}
	if second := printed[2]; !strings.Contains(second, "00:01 held ") || !strings.Contains(second, " events/s, ") {
		t.Errorf("the line after a second is %q", second)
	}
	if last := printed[len(printed)-1]; !strings.HasPrefix(last, "equal: the ") {
		t.Errorf("the last line is %q", last)
	}
}

func TestInterruptedAtStart(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var out, errs bytes.Buffer
	if err := Run(ctx, []string{"--json"}, cli.Streams{Out: &out, Err: &errs}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the context was canceled", err)
	}
	if out.Len() > 0 {
		t.Errorf("stdout: %s", &out)
	}
}

// TestUnseenChange changes a row where no trigger fires: the demo must say
// that what it holds is wrong.
func TestUnseenChange(t *testing.T) {
	t.Parallel()
	o := options{databaseURL: pgtemp.Shared(t).URL(), writers: 1, rate: 100, seed: 13}
	d, err := start(t.Context(), o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	d.writers.end()
	if difference, err := d.settle(t.Context(), settleLimit); difference != "" || err != nil {
		t.Fatalf("before: %q, %v", difference, err)
	}

	if err := onServer(t.Context(), d.place.url, `
		insert into posts (title) values ('seen');
		set session_replication_role = replica;
		update posts set title = 'unseen' where title = 'First post 40'`); err != nil {
		t.Fatal(err)
	}
	difference, err := d.settle(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(difference, `is "unseen"`) {
		t.Errorf("difference %q", difference)
	}
	var out bytes.Buffer
	r := d.result(time.Second, difference)
	if err := r.report(&out, true); !errors.Is(err, cli.ErrFailed) || !strings.Contains(out.String(), `"equal": false`) {
		t.Errorf("reported as %v: %s", err, &out)
	}
	out.Reset()
	if err := r.report(&out, false); !errors.Is(err, cli.ErrFailed) || !strings.Contains(out.String(), "NOT EQUAL") {
		t.Errorf("reported as %v: %s", err, &out)
	}
}

func TestRoleThatMayNotCreateDatabases(t *testing.T) {
	t.Parallel()
	server := pgtemp.Shared(t)
	if err := onServer(t.Context(), server.URL(), "create role modest login"); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(server.URL(), "postgres://postgres@", "postgres://modest@", 1)
	err := Run(t.Context(), []string{"--json", "--database-url", url}, cli.Streams{Out: io.Discard, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "name a role that may create databases") {
		t.Errorf("error %v", err)
	}
}

// TestJoinIn pastes the line that the demo prints.
func TestJoinIn(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"throwaway": "", "given": pgtemp.Shared(t).URL()} {
		t.Run(name, func(t *testing.T) {
			p, err := openPlace(t.Context(), url, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.remove(); err != nil {
					t.Error(err)
				}
			}()
			if findPsql("/nowhere") == "" {
				t.Fatalf("there is no psql in the PATH to try %q with", p.join)
			}
			line := p.join + ` -Atc "select count(*) from posts"`
			out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "40" {
				t.Errorf("%s: %v: %s", line, err, out)
			}
		})
	}
}

func TestForDatabase(t *testing.T) {
	for _, c := range []struct{ url, at, join string }{
		{"postgres://me:secret@host:5433/app?sslmode=disable", "postgres://me:secret@host:5433/demo?sslmode=disable",
			"psql 'postgres://me@host:5433/demo?sslmode=disable'"},
		{"postgres://host", "postgres://host/demo", "psql 'postgres://host/demo'"},
		{"postgresql:///app?dbname=other&password=secret&pool_max_conns=3&user=me", "postgresql:///demo?password=secret&pool_max_conns=3&user=me",
			"psql 'postgresql:///demo?user=me'"},
	} {
		at, join, err := forDatabase(c.url, "demo")
		if fmt.Sprint(at, join, err) != fmt.Sprint(c.at, c.join, error(nil)) {
			t.Errorf("%s becomes %q and %q, %v", c.url, at, join, err)
		}
	}
}
