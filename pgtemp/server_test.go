//go:build unix

package pgtemp_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/pgtemp"
)

// start starts a server for one test.
func start(t *testing.T, opts *pgtemp.Options) *pgtemp.Server {
	t.Helper()
	s, err := pgtemp.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// query returns the only column of the only row.
func query(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	var value string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestSettings(t *testing.T) {
	s := start(t, &pgtemp.Options{Config: map[string]string{
		"work_mem":         "7MB",
		"application_name": `it's a \ test`,
	}})
	conn := connect(t, s.URL())
	for name, want := range map[string]string{
		"wal_level":          "logical",
		"fsync":              "off",
		"synchronous_commit": "on",
		"max_connections":    "300",
		"listen_addresses":   "",
		"server_encoding":    "UTF8",
		"work_mem":           "7MB",
		"application_name":   `it's a \ test`,
	} {
		if got := query(t, conn, "select current_setting($1)", name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	execute(t, conn, "begin")
	execute(t, conn, "prepare transaction 'x'")
	execute(t, conn, "rollback prepared 'x'")
}

func TestStopLeavesNothing(t *testing.T) {
	s := start(t, nil)
	socket := filepath.Dir(s.LogFile())
	connect(t, s.URL())
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{socket, s.DataDir()} {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", folder)
		}
	}
	if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		t.Error("the server still takes connections")
	}
	if err := s.Resume(t.Context()); err == nil {
		t.Error("a server that was stopped for good was resumed")
	}
}

func TestDurable(t *testing.T) {
	s := start(t, &pgtemp.Options{Durable: true})
	conn := connect(t, s.Database(t, "create table a (id int)"))
	if got := query(t, conn, "show fsync"); got != "on" {
		t.Errorf("fsync is %s", got)
	}
	if strings.HasPrefix(s.DataDir(), "/dev/shm") {
		t.Errorf("data is in memory: %s", s.DataDir())
	}
}

func TestRestart(t *testing.T) {
	for mode, unlogged := range map[pgtemp.StopMode]string{pgtemp.Smart: "1", pgtemp.Fast: "1", pgtemp.Immediate: "0"} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			conn := connect(t, s.URL())
			execute(t, conn, "create table logged (id int); create unlogged table unlogged (id int)")
			execute(t, conn, "insert into logged values (1); insert into unlogged values (1)")
			conn.Close(t.Context())

			if err := s.Restart(t.Context(), mode); err != nil {
				t.Fatal(err)
			}
			conn = connect(t, s.URL())
			if got := query(t, conn, "select count(*)::text from logged"); got != "1" {
				t.Errorf("%s rows in the table", got)
			}
			if got := query(t, conn, "select count(*)::text from unlogged"); got != unlogged {
				t.Errorf("%s rows in the unlogged table, want %s", got, unlogged)
			}
		})
	}
}

func TestHaltAndResume(t *testing.T) {
	s := start(t, nil)
	url := s.Database(t, "create table a (id int)")
	for range 2 {
		if err := s.Halt(t.Context(), pgtemp.Fast); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("a halted server takes connections")
	}
	for range 2 {
		if err := s.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, connect(t, url), "insert into a values (1)")
	if err := s.Halt(t.Context(), "gently"); err == nil || !strings.Contains(err.Error(), `"gently"`) {
		t.Errorf("an unknown mode: %v", err)
	}
}

func TestHaltGivesUpWithItsContext(t *testing.T) {
	s := start(t, nil)
	conn := connect(t, s.URL()) // whose end a smart shutdown waits for
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Halt(ctx, pgtemp.Smart); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	execute(t, conn, "select 1")
	if err := s.Halt(t.Context(), pgtemp.Fast); err != nil {
		t.Error(err)
	}
}

func TestRestartAfterCrash(t *testing.T) {
	s := start(t, nil)
	conn := connect(t, s.URL())
	execute(t, conn, "create table a (id int)")
	killPostmaster(t, s)
	if err := s.Restart(t.Context(), pgtemp.Immediate); err != nil {
		t.Fatal(err)
	}
	execute(t, connect(t, s.URL()), "insert into a values (1)")
}

func TestBadSettingIsTold(t *testing.T) {
	s, err := pgtemp.Start(t.Context(), &pgtemp.Options{Config: map[string]string{"work_memory": "1MB"}})
	if err == nil {
		_ = s.Stop()
		t.Fatal("a server with an unknown setting started")
	}
	if !strings.Contains(err.Error(), `"work_memory"`) {
		t.Errorf("the error does not name the setting: %v", err)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	temp := shortTemp(t)
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pgtemp.Start(ctx, &pgtemp.Options{BinDir: pgtemp.Shared(t).BinDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLongTemporaryFolder(t *testing.T) {
	long := filepath.Join(shortTemp(t), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	connect(t, start(t, nil).URL())
}

func TestTCP(t *testing.T) {
	s := start(t, &pgtemp.Options{TCP: true})
	url := s.TCPURL("postgres")
	conn := connect(t, url)
	if got := query(t, conn, "select host(inet_server_addr())"); got != "127.0.0.1" {
		t.Errorf("connected to %s", got)
	}
	connect(t, s.URL())

	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "guessed"
	_, err = pgx.ConnectConfig(t.Context(), config)
	if pg := (*pgconn.PgError)(nil); !errors.As(err, &pg) || pg.Code != "28P01" {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := s.Restart(t.Context(), pgtemp.Fast); err != nil {
		t.Fatal(err)
	}
	connect(t, url)

	if got := pgtemp.Shared(t).TCPURL("postgres"); got != "" {
		t.Errorf("a server without TCP names %s", got)
	}
}

func TestURLSuitsPsql(t *testing.T) {
	s := pgtemp.Shared(t)
	psql := filepath.Join(s.BinDir(), "psql")
	if _, err := os.Stat(psql); err != nil {
		if psql, err = exec.LookPath("psql"); err != nil {
			t.Skip("there is no psql to try it with")
		}
	}
	out, err := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "-Atc", "select current_user", s.Database(t)).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "postgres" {
		t.Errorf("psql: %v, %s", err, out)
	}
}
