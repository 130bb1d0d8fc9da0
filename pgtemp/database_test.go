//go:build unix

package pgtemp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rowsync/rowsync/pgtemp"
)

const posts = "create table posts (id bigint primary key); insert into posts values (1)"

func TestDatabasesAreApart(t *testing.T) {
	s := pgtemp.Shared(t)
	a, b := connect(t, s.Database(t, posts)), connect(t, s.Database(t, posts))
	execute(t, a, "insert into posts values (2)")
	if got := query(t, b, "select count(*)::text from posts"); got != "1" {
		t.Errorf("%s posts in a new database, want 1", got)
	}
	other := connect(t, s.Database(t, posts, "insert into posts values (7)"))
	if got := query(t, other, "select max(id)::text from posts"); got != "7" {
		t.Errorf("the second setup was not applied: newest post %s", got)
	}
	empty := connect(t, s.Database(t))
	if got := query(t, empty, "select count(*)::text from pg_class where relname = 'posts'"); got != "0" {
		t.Error("a database without setup has tables")
	}
}

func TestDatabaseInParallel(t *testing.T) {
	s := pgtemp.Shared(t)
	for i := range 24 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			setup := fmt.Sprintf("create table numbers as select %d as n", i%3)
			conn := connect(t, s.Database(t, setup))
			if got := query(t, conn, "select n::text from numbers"); got != fmt.Sprint(i%3) {
				t.Errorf("got the database of setup %s", got)
			}
		})
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	s := pgtemp.Shared(t)
	var database string
	t.Run("test", func(t *testing.T) {
		conn := connect(t, s.Database(t)) // and is not closed before the drop
		database = query(t, conn, "select current_database()")
	})
	admin := connect(t, s.URL())
	if got := query(t, admin, "select count(*)::text from pg_database where datname = $1", database); got != "0" {
		t.Errorf("database %s is still there", database)
	}
}

func TestSetupErrorNamesTheLine(t *testing.T) {
	s := pgtemp.Shared(t)
	setup := "create table ä (id int);\n\ncreate tabel b (id int)"
	for range 2 { // a failed template is not taken for a good one
		err := databaseError(t, s, setup)
		if err == "" || !strings.Contains(err, "line 3") || !strings.Contains(err, "tabel") {
			t.Errorf("got %q", err)
		}
	}
}

// databaseError returns what Database fails a test with.
func databaseError(t *testing.T, s *pgtemp.Server, setup string) string {
	t.Helper()
	failing := &failingTB{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(failing) {
				panic(r)
			}
		}()
		s.Database(failing, setup)
	}()
	return failing.message
}

// failingTB is a test that may fail.
type failingTB struct {
	testing.TB
	message string
}

func (f *failingTB) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestCreateAndDropDatabase(t *testing.T) {
	s := pgtemp.Shared(t)
	first, err := s.CreateDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s.URLFor(first))
	execute(t, conn, posts)
	conn.Close(t.Context())
	second, err := s.CreateDatabase(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, connect(t, s.URLFor(second)), "select count(*)::text from posts"); got != "1" {
		t.Errorf("%s posts in the copy", got)
	}
	for _, name := range []string{first, second, second} {
		if err := s.DropDatabase(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestDropDatabaseInUse(t *testing.T) {
	s := pgtemp.Shared(t)
	name, err := s.CreateDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, s.URLFor(name))
	execute(t, conn, "create table a (id int); create publication p for all tables")
	replicate(t, s.URLFor(name)+"&replication=database")
	execute(t, conn, "begin")
	execute(t, conn, "insert into a values (1)")
	execute(t, conn, "prepare transaction 'in ''doubt'''")
	if err := s.DropDatabase(t.Context(), name); err != nil {
		t.Error(err)
	}
	if got := query(t, connect(t, s.URL()), "select count(*)::text from pg_replication_slots where database = $1", name); got != "0" {
		t.Errorf("%s slots left", got)
	}
}

// replicate leaves a replication slot in use.
func replicate(t *testing.T, url string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "CREATE_REPLICATION_SLOT pgtemp_test LOGICAL pgoutput").ReadAll(); err != nil {
		t.Fatal(err)
	}
	conn.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION SLOT pgtemp_test LOGICAL 0/0 (proto_version '1', publication_names 'p')"})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	message, err := conn.ReceiveMessage(t.Context())
	if _, ok := message.(*pgproto3.CopyBothResponse); !ok {
		t.Fatalf("start replication: %T, %v", message, err)
	}
}

func TestDatabaseOfHaltedServer(t *testing.T) {
	s := start(t, nil)
	t.Run("test", func(t *testing.T) {
		s.Database(t)
		if err := s.Halt(t.Context(), pgtemp.Immediate); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkDatabase(b *testing.B) {
	s := pgtemp.Shared(b)
	setup := "create table posts (id bigint primary key, title text)"
	s.Database(b, setup)
	var create, drop time.Duration
	for b.Loop() {
		begin := time.Now()
		url := s.Database(b, setup)
		create += time.Since(begin)
		config, err := pgx.ParseConfig(url)
		if err != nil {
			b.Fatal(err)
		}
		begin = time.Now()
		if err := s.DropDatabase(b.Context(), config.Database); err != nil {
			b.Fatal(err)
		}
		drop += time.Since(begin)
	}
	b.ReportMetric(float64(create.Microseconds())/1000/float64(b.N), "ms/create")
	b.ReportMetric(float64(drop.Microseconds())/1000/float64(b.N), "ms/drop")
}
