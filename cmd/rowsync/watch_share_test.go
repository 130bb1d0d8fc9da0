package main

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rowsync/rowsync/pgtemp"
)

func TestWatchKeeps(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	watching(t, "--database-url", url, "--table", "users", "--keep").end(t)
	const oids = "select string_agg(oid::text, ' ' order by oid) from pg_trigger where tgname like 'rowsync\\_%'"
	kept := query[*string](t, url, oids)
	if kept == nil {
		t.Fatal("--keep kept nothing")
	}
	// What stood there before is not this run's to remove.
	watching(t, "--database-url", url, "--table", "users").end(t)
	if again := query[*string](t, url, oids); again == nil || *again != *kept {
		t.Errorf("the triggers are %v, were %s", again, *kept)
	}
	// Others hear of what is left.
	w := watching(t, "--database-url", url, "--table", "teams")
	w.await(t, w.err, "found triggers that nobody reads, which slow writers down: see rowsync triggers clean --namespace rowsync_watch")
}

func TestWatchLeavesWhatOthersRead(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	first := watching(t, "--database-url", url, "--table", "teams", "--table", "users")
	second := watching(t, "--database-url", url, "--table", "teams")
	first.end(t)
	wantContains(t, "stderr", first.err.String(), "the triggers of public.teams stay: they are read by pid ")
	if n := query[int](t, url, "select count(*) from pg_proc where proname like 'capture\\_%'"); n != 1 {
		t.Errorf("%d functions are left, want that of teams", n)
	}
	execute(t, url, "insert into teams values (1, 'green')")
	second.await(t, second.out, "name: green")
	if text := second.out.String(); strings.Contains(text, "RESET") {
		t.Errorf("the second lost something when the first ended: %s", text)
	}
	second.end(t)
	wantNothingLeft(t, url)
}

// TestWatchLeavesAnApplication: in the namespace of an application that watches
// the very same, also while that is away.
func TestWatchLeavesAnApplication(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	closeClient(t, url, "rowsync", open(t, url, "rowsync", teams))
	before := installed(t, url)
	w := watching(t, "--database-url", url, "--namespace", "rowsync", "--table", "teams", "--table", "users")
	w.end(t)
	if after := installed(t, url); after != before {
		t.Errorf("%d things are installed, were %d", after, before)
	}
}

// modest creates a role that may do nothing but read, and returns its name and
// the URL for it. Roles are the server's, so each has a name of its own; they go
// with the server.
func modest(t *testing.T, url string) (name, as string) {
	t.Helper()
	name = "modest_" + strings.ToLower(rand.Text()[:8])
	execute(t, url, "create role "+name+" login", "grant select on all tables in schema public to "+name)
	return name, strings.Replace(url, "postgres://postgres@", "postgres://"+name+"@", 1)
}

// statements returns the lines of a text that begin with a word.
func statements(text, word string) (found []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, word) {
			found = append(found, line)
		}
	}
	return found
}

// TestWatchByRoleThatMayNotInstall: the grants that it names are what is missing.
func TestWatchByRoleThatMayNotInstall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, kept bool }{
		"nothing is there":    {},
		"the schema is there": {schema: true},
		"others have watched": {kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := watchedDatabase(t)
			role, as := modest(t, url)
			if c.schema {
				execute(t, url, "create schema rowsync_watch")
			}
			if c.kept {
				watching(t, "--database-url", url, "--table", "users", "--columns", "", "--keep").end(t)
			}
			there := installed(t, url)
			_, errs := call(t, 1, "watch", "--database-url", as, "--table", "teams", "--table", "users")
			wantContains(t, "stderr", errs, `the role "`+role+`" may not install the triggers`)
			execute(t, url, statements(errs, "grant ")...)
			w := watching(t, "--database-url", as, "--table", "teams", "--table", "users")
			execute(t, url, "insert into teams values (1, 'green')", "delete from teams where id = 1")
			w.await(t, w.out, "DELETE  public.teams  1")
			w.end(t)
			if n := installed(t, url); n != there {
				t.Errorf("%d triggers, functions and schemas are there, were %d", n, there)
			}
		})
	}
}

// TestWatchPartitionsByRoleThatMayNotInstall: it needs grants on partitions too.
func TestWatchPartitionsByRoleThatMayNotInstall(t *testing.T) {
	t.Parallel()
	url := pgtemp.Shared(t).Database(t, `
		create table sales (id int, region text, primary key (id, region)) partition by list (region);
		create table sales_eu partition of sales for values in ('eu');
		create table sales_us partition of sales for values in ('us')`)
	_, as := modest(t, url)
	_, errs := call(t, 1, "watch", "--database-url", as, "--table", "sales")
	execute(t, url, statements(errs, "grant ")...)
	w := watching(t, "--database-url", as, "--table", "sales")
	execute(t, url, "insert into sales values (1, 'eu')", "update sales set region = 'us'", "truncate sales_us")
	w.await(t, w.out, "RESET")
	w.end(t)
	wantText(t, "stdout", w.out.String(), `
hh:mm:ss.mmm  INSERT  public.sales  (1, eu)
hh:mm:ss.mmm  UPDATE  public.sales  (1, eu) → (1, us)
hh:mm:ss.mmm  RESET   public.sales: the table was truncated; changes may have been missed
`)
	wantNothingLeft(t, url)
}

// TestWatchByRoleAfterMigration runs what the error says, as its superior.
func TestWatchByRoleAfterMigration(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	role, as := modest(t, url)
	args := []string{"--database-url", as, "--table", "teams", "--table", `"0xabcd"."camel.Case"`, "--on", "insert"}
	execute(t, url, `grant usage on schema "0xabcd" to `+role)
	_, errs := call(t, 1, append([]string{"watch"}, args...)...)
	lines := statements(errs, "rowsync triggers sql ")
	if len(lines) != 1 {
		t.Fatalf("stderr: %s", errs)
	}
	// A shell takes the quotes away, as it does when a person pastes the line.
	words, err := exec.CommandContext(t.Context(), "sh", "-c", `rowsync() { for word; do printf '%s\n' "$word"; done; }; `+lines[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	printed := strings.Split(strings.TrimSpace(string(words)), "\n")
	script, _ := call(t, 0, append(printed, "--database-url", url)...)
	execute(t, url, script)
	for _, grant := range statements(strings.ReplaceAll(script, "--", ""), "grant ") {
		execute(t, url, strings.ReplaceAll(grant, "…", role))
	}
	there := installed(t, url)
	w := watching(t, args...)
	execute(t, url, "update teams set name = 'ruby' where id = 7")
	w.await(t, w.out, "name: red → ruby")
	w.end(t)
	if n := installed(t, url); n != there {
		t.Errorf("%d things are installed, were %d", n, there)
	}
	printed[1] = "verify"
	verified, _ := call(t, 0, append(printed, "--database-url", as)...)
	wantContains(t, "verify", verified, "All is there and enabled for 2 tables.")
}

// TestWatchAsProgram: signals and pipes as a shell makes them.
func TestWatchAsProgram(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		script string
		signal syscall.Signal
	}{
		"SIGTERM":     {`exec "$0" watch --table teams`, syscall.SIGTERM},
		"Ctrl-C":      {`exec "$0" watch --table teams`, syscall.SIGINT},
		"SIGHUP":      {`exec "$0" watch --table teams`, syscall.SIGHUP},
		"closed pipe": {`("$0" watch --table teams; echo "status $?" >&2) | grep -m 1 --line-buffered green`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := watchedDatabase(t)
			s := &started{out: newStream(), err: newStream(), status: make(chan int, 1)}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", c.script, program)
			cmd.Env = append(os.Environ(), asProgram+"=1", "DATABASE_URL="+url)
			cmd.Stdout, cmd.Stderr = s.out, s.err
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() {
				_ = cmd.Wait()
				s.status <- cmd.ProcessState.ExitCode()
			}()
			s.await(t, s.err, "  watching ")
			execute(t, url, "insert into teams values (1, 'green')")
			s.await(t, s.out, "green")
			if c.signal != 0 {
				if err := cmd.Process.Signal(c.signal); err != nil {
					t.Fatal(err)
				}
				s.wait(t, 0)
			} else {
				// It notices when it writes next.
				execute(t, url, "insert into teams values (2, 'green too')")
				s.await(t, s.err, "status 0")
				s.wait(t, 0)
			}
			wantNothingLeft(t, url)
		})
	}
}
