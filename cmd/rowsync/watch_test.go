package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/pgtemp"
)

const watchedSQL = `
	create table teams (id bigint primary key, name text);
	create table users (id bigint primary key, name text, email text, team_id bigint references teams);
	create schema "0xabcd";
	create table "0xabcd"."camel.Case" (a int, "bC" text, v numeric(10,2), primary key (a, "bC"));
	insert into teams values (7, 'red'), (8, 'blue')`

func watchedDatabase(t *testing.T) string {
	t.Helper()
	return pgtemp.Shared(t).Database(t, watchedSQL)
}

func TestWatchPrintsChanges(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := watching(t, "--database-url", url, "--table", "users", "--table", `"0xabcd"."camel.Case"`)
	execute(t, url,
		`insert into users values (1, 'Ada Lovelace', null, 7)`,
		`update users set name = 'Ada', email = 'ada@example.org', team_id = null`,
		`begin; set local rowsync.origin = 'import 3'; update users set name = 'Grace'; commit`,
		`update users set name = name`,
		`update users set email = E'two\nlines\x1b[31m'`,
		`update users set email = repeat('ä', 70)`,
		`insert into "0xabcd"."camel.Case" values (1, 'x,y', 1.5)`,
		`update "0xabcd"."camel.Case" set a = 2`,
		`delete from users`,
		`truncate "0xabcd"."camel.Case"`,
		`insert into users values (2, 'null', '', 8)`,
	)
	w.await(t, w.out, "INSERT  public.users       2")
	w.end(t)
	wantText(t, "stdout", w.out.String(), `
hh:mm:ss.mmm  INSERT  public.users       1  name: "Ada Lovelace", email: null, team_id: 7
hh:mm:ss.mmm  UPDATE  public.users       1  name: "Ada Lovelace" → Ada, email: null → ada@example.org, team_id: 7 → null
hh:mm:ss.mmm  UPDATE  public.users       1  name: Ada → Grace  by "import 3"
hh:mm:ss.mmm  UPDATE  public.users       1  (nothing that is shown changed)
hh:mm:ss.mmm  UPDATE  public.users       1  email: ada@example.org → "two\nlines\x1b[31m"
hh:mm:ss.mmm  UPDATE  public.users       1  email: "two\nlines\x1b[31m" → `+strings.Repeat("ä", 60)+`… (10 more)
hh:mm:ss.mmm  INSERT  0xabcd.camel.Case  (1, "x,y")  v: 1.50
hh:mm:ss.mmm  UPDATE  0xabcd.camel.Case  (1, "x,y") → (2, "x,y")
hh:mm:ss.mmm  DELETE  public.users       1  name: Grace, email: `+strings.Repeat("ä", 60)+`… (10 more), team_id: null
hh:mm:ss.mmm  RESET   0xabcd.camel.Case: the table was truncated; changes may have been missed
hh:mm:ss.mmm  INSERT  public.users       2  name: "null", email: "", team_id: 8
`)
	wantContains(t, "stderr", w.err.String(), `connected to database "db`, `as role "postgres", PostgreSQL `,
		"watching public.users, 0xabcd.camel.Case; Ctrl-C ends")
	wantNothingLeft(t, url)
}

func TestWatchVerboseAndQuiet(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	quiet := start(t, "watch", "--database-url", url, "--table", "teams", "--quiet", "--count", "1")
	loud := watching(t, "--database-url", url, "--table", "teams", "--on", "update", "-v", "--count", "1")
	// The quiet one does not say when it begins, so it is given changes until it ends.
	for ended := false; !ended; {
		execute(t, url, `update teams set name = repeat('x', 70) where id = 7`)
		select {
		case status := <-quiet.status:
			quiet.status <- status
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	quiet.wait(t, 0)
	loud.wait(t, 0)
	if text := quiet.err.String(); text != "" {
		t.Errorf("--quiet says %q", text)
	}
	wantContains(t, "stderr", loud.err.String(), "installed triggers")
	wantContains(t, "stdout", loud.out.String(), strings.Repeat("x", 70), "tx ", ", position 0.")
}

func TestWatchColours(t *testing.T) {
	for name, c := range map[string]struct {
		terminal      bool
		noColor, term string
		colours       bool
	}{
		"terminal":      {true, "", "xterm", true},
		"pipe":          {false, "", "xterm", false},
		"NO_COLOR":      {true, "1", "xterm", false},
		"dumb terminal": {true, "", "dumb", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.noColor)
			t.Setenv("TERM", c.term)
			url := watchedDatabase(t)
			w := startWith(t, cli.Streams{OutTerminal: c.terminal}, "watch", "--database-url", url, "--table", "teams", "--count", "1")
			w.await(t, w.err, "  watching ")
			execute(t, url, "insert into teams values (1, 'green')")
			w.wait(t, 0)
			if got := strings.Contains(w.out.String(), "\x1b[32mINSERT\x1b[0m"); got != c.colours {
				t.Errorf("%q", w.out)
			}
			if !c.colours && strings.Contains(w.out.String(), "\x1b") {
				t.Errorf("there is an escape in %q", w.out)
			}
		})
	}
}

func TestWatchJSON(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	began := time.Now().Add(-time.Minute)
	w := watching(t, "--database-url", url, "--table", "users", "--columns", "team_id,email", "--table", `"0xabcd"."camel.Case"`, "--json", "--count", "4")
	execute(t, url,
		`begin; set local rowsync.origin = 'a<b'; insert into users values (1, 'Ada', '"é"<', null); commit`,
		`update users set id = 9007199254740993, team_id = 7`,
		`delete from users`,
		`truncate users`,
		`insert into "0xabcd"."camel.Case" values (1, 'x,y', 1.5)`,
	)
	w.wait(t, 0)
	want := []string{
		`"op":"insert","schema":"public","table":"users","key":{"id":"1"},"new":{"id":"1","team_id":null,"email":"\"é\"<"},"origin":"a<b"`,
		`"op":"update","schema":"public","table":"users","key":{"id":"9007199254740993"},"old":{"id":"1","team_id":null,"email":"\"é\"<"},"new":{"id":"9007199254740993","team_id":"7","email":"\"é\"<"}`,
		`"op":"delete","schema":"public","table":"users","key":{"id":"9007199254740993"},"old":{"id":"9007199254740993","team_id":"7","email":"\"é\"<"}`,
		`"op":"reset","schema":"public","table":"users"`,
		`"op":"insert","schema":"0xabcd","table":"camel.Case","key":{"a":"1","bC":"x,y"},"new":{"a":"1","bC":"x,y","v":"1.50"}`,
	}
	lines := strings.Split(strings.TrimSpace(w.out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), w.out)
	}
	var before uint64
	for i, line := range lines {
		var r struct {
			Time     time.Time
			Op       string
			TxID     uint64
			Reason   string
			Position struct{ Epoch, Seq uint64 }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		wantContains(t, "line", line, want[i])
		switch {
		case r.Time.Before(began) || r.Time.After(time.Now().Add(time.Minute)):
			t.Errorf("time of %s", line)
		case r.Op == "reset" && r.Reason != "the table was truncated", r.Op != "reset" && r.TxID == 0:
			t.Errorf("reason or transaction of %s", line)
		case r.Op != "reset" && r.Position.Seq <= before:
			t.Errorf("position of %s is not after %d", line, before)
		}
		if r.Op != "reset" {
			before = r.Position.Seq
		}
	}
}

// TestWatchRows: which rows are told, of all that one script changes.
func TestWatchRows(t *testing.T) {
	t.Parallel()
	const script = `
		insert into users values (1, 'Ada', null, 7), (2, 'Bob', null, null), (3, 'Cyd', 'null', 8);
		update users set team_id = 8 where id = 1;
		update users set email = 'bob@x.org' where id = 2;
		update users set name = 'Cid' where id = 3;
		delete from users where id = 2;
		insert into "0xabcd"."camel.Case" values (1, 'x,y', 1.5), (1, 'z', null);
		insert into teams values (0, 'the end')`
	for name, c := range map[string]struct {
		args []string
		want []string // operation and key of each
	}{
		"one row by its key":       {[]string{"--table", "users", "--where-key", "1"}, []string{"INSERT 1", "UPDATE 1"}},
		"a key, written otherwise": {[]string{"--table", "users", "--where-key", " 01 "}, []string{"INSERT 1", "UPDATE 1"}},
		"several rows":             {[]string{"--table", "users", "--where-key", "1", "--where-key", "3"}, []string{"INSERT 1", "INSERT 3", "UPDATE 1", "UPDATE 3"}},
		"composite key":            {[]string{"--table", `0xabcd."camel.Case"`, "--where-key", `1,"x,y"`}, []string{`INSERT (1, "x,y")`}},
		"value, before and after":  {[]string{"--table", "users", "--where", "team_id=7"}, []string{"INSERT 1", "UPDATE 1"}},
		"null":                     {[]string{"--table", "users", "--where", "team_id=null"}, []string{"INSERT 2", "UPDATE 2", "DELETE 2"}},
		"the text null":            {[]string{"--table", "users", "--where", `email="null"`}, []string{"INSERT 3", "UPDATE 3"}},
		"any column":               {[]string{"--table", "users", "--where", "name=Cid", "--on", "update"}, []string{"UPDATE 3"}},
		"key or value":             {[]string{"--table", "users", "--where-key", "1", "--where", "name=Bob"}, []string{"INSERT 1", "INSERT 2", "UPDATE 1", "UPDATE 2", "DELETE 2"}},
		"operations":               {[]string{"--table", "users", "--on", "insert,delete"}, []string{"INSERT 1", "INSERT 2", "INSERT 3", "DELETE 2"}},
		"changed columns":          {[]string{"--table", "users", "--changed", "email,team_id"}, []string{"UPDATE 1", "UPDATE 2"}},
		"one table twice":          {[]string{"--table", "users", "--on", "delete", "--table", "users", "--on", "update", "--where-key", "3"}, []string{"UPDATE 3", "DELETE 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := watchedDatabase(t)
			w := watching(t, append([]string{"--database-url", url, "--table", "teams"}, c.args...)...)
			execute(t, url, script)
			w.await(t, w.out, `"the end"`)
			w.end(t)
			var got []string
			for line := range strings.Lines(w.out.String()) {
				if parts := strings.SplitN(strings.TrimSpace(line), "  ", 5); len(parts) > 3 && !strings.HasPrefix(parts[2], "public.teams") {
					got = append(got, parts[1]+" "+strings.TrimSpace(parts[3]))
				}
			}
			// The tables' columns are aligned, so a key may stand further right.
			for i := range got {
				got[i] = strings.Join(strings.Fields(got[i]), " ")
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told are %q, want %q\n%s", got, c.want, w.out)
			}
		})
	}
}

func TestWatchColumns(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := watching(t, "--database-url", url, "--table", "users", "--columns", "", "--table", "teams", "--columns", `"name"`, "--count", "3")
	execute(t, url, "insert into users values (1, 'Ada')", "update users set name = 'Eve'", "insert into teams values (1, 'green')")
	w.wait(t, 0)
	wantText(t, "stdout", w.out.String(), `
hh:mm:ss.mmm  INSERT  public.users  1
hh:mm:ss.mmm  UPDATE  public.users  1
hh:mm:ss.mmm  INSERT  public.teams  1  name: green
`)
	if got := query[int](t, url, "select count(*) from pg_namespace where nspname = 'rowsync_watch'"); got != 0 {
		t.Error("the schema is left")
	}
}

func TestWatchTableWithoutPrimaryKey(t *testing.T) {
	t.Parallel()
	url := pgtemp.Shared(t).Database(t, "create table log (at int, what text)")
	w := watching(t, "--database-url", url, "--table", "log", "--key", "at", "--count", "1")
	execute(t, url, "insert into log values (5, 'started')")
	w.wait(t, 0)
	wantText(t, "stdout", w.out.String(), "hh:mm:ss.mmm  INSERT  public.log  5  what: started\n")
}

func TestWatchEndsAfterATime(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := start(t, "watch", "--database-url", url, "--table", "users", "--for", "300ms")
	w.wait(t, 0)
	wantContains(t, "stderr", w.err.String(), "watching public.users\n")
	wantNothingLeft(t, url)
}

func TestWatchEndsWithItsReader(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	w := startWith(t, cli.Streams{Out: write}, "watch", "--database-url", url, "--table", "teams")
	w.await(t, w.err, "  watching ")
	read.Close()
	execute(t, url, "insert into teams values (1, 'green')")
	w.wait(t, 0)
	wantNothingLeft(t, url)
}

// stuck is a reader that reads nothing.
type stuck struct{ until chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.until
	return len(p), nil
}

func TestWatchEndsThoughItsReaderIsStuck(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	out := stuck{make(chan struct{})}
	defer close(out.until)
	w := startWith(t, cli.Streams{Out: out}, "watch", "--database-url", url, "--table", "teams")
	w.await(t, w.err, "  watching ")
	execute(t, url, "insert into teams values (1, 'green')")
	w.end(t)
	wantNothingLeft(t, url)
}

// full is a disk with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

func TestWatchSaysThatItCannotWrite(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := startWith(t, cli.Streams{Out: full{}}, "watch", "--database-url", url, "--table", "teams")
	w.await(t, w.err, "  watching ")
	execute(t, url, "insert into teams values (1, 'green')")
	w.wait(t, 1)
	wantContains(t, "stderr", w.err.String(), "rowsync watch: write changes: no space left on device\n")
	wantNothingLeft(t, url)
}

func TestWatchInterruptedAtStart(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := start(t, "watch", "--database-url", url, "--table", "users")
	w.interrupt()
	w.wait(t, 0)
	if text := w.err.String(); strings.Contains(text, "rowsync watch:") {
		t.Errorf("it complains: %s", text)
	}
}

func TestWatchSaysThatTheConnectionWasLost(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := watching(t, "--database-url", url, "--table", "teams")
	terminate(t, url)
	w.await(t, w.err, "  connection lost: ")
	w.await(t, w.err, "  connected again after ")
	execute(t, url, "insert into teams values (1, 'green')")
	w.await(t, w.out, "name: green")
	w.end(t)
	wantNothingLeft(t, url)
}

func TestWatchEndsThoughItsConnectionsWereLost(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	w := watching(t, "--database-url", url, "--table", "teams")
	terminate(t, url)
	w.end(t)
	wantNothingLeft(t, url)
}

// terminate ends all connections to a database.
func terminate(t *testing.T, url string) {
	t.Helper()
	const others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
	if !query[bool](t, url, "select bool_or(pg_terminate_backend(pid)) "+others) {
		t.Fatal("nothing was terminated")
	}
}
