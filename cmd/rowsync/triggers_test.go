package main

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/pgtrigger"
)

// open opens a Client that is closed when the test ends.
func open(t *testing.T, url, namespace string, watchers ...rowsync.Watcher) *rowsync.Client {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	log := slog.New(slog.DiscardHandler)
	client, err := rowsync.Open(t.Context(), pool, &rowsync.Options{
		Watchers: watchers, Logger: log, Source: pgtrigger.New(pool, &pgtrigger.Options{Namespace: namespace, Logger: log}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// closeClient closes a Client, and waits until the server has noticed: until then its
// definitions count as read.
func closeClient(t *testing.T, url, namespace string, client *rowsync.Client) {
	t.Helper()
	client.Close()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	source := pgtrigger.New(pool, &pgtrigger.Options{Namespace: namespace})
	mine := map[string]bool{}
	for _, w := range client.Watchers() {
		mine[w.Table] = true
	}
	for deadline := time.Now().Add(patience); ; {
		list, err := source.Installed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read := slices.ContainsFunc(list, func(i pgtrigger.Installed) bool { return mine[i.Table] && len(i.Readers) > 0 })
		switch {
		case !read:
			return
		case time.Now().After(deadline):
			t.Fatalf("the closed client still reads: %v", list)
		}
	}
}

var (
	hash = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	// hashInName stands between underscores, which are word characters.
	hashInName = regexp.MustCompile(`_[0-9a-f]{16}\b|_[0-9a-f]{16}_`)
	pid        = regexp.MustCompile(`pid \d+`)
)

// constant replaces what differs each time.
func constant(text string) string {
	text = hashInName.ReplaceAllStringFunc(text, func(s string) string {
		return "_HASH" + strings.TrimLeft(s[1:], "0123456789abcdef")
	})
	return pid.ReplaceAllString(hash.ReplaceAllString(text, "HASH"), "pid N")
}

var (
	teams = rowsync.Watch{Table: "teams", Label: "teams", ExtraColumns: []string{"name"}}
	users = rowsync.Watch{
		Table: "users", Label: "users", On: rowsync.Updated, TriggerColumns: []string{"email"}, ExtraColumns: []string{"team_id"},
	}
)

func TestTriggersList(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	out, _ := call(t, 0, "triggers", "list", "--database-url", url)
	wantText(t, "empty list", out, "Namespace rowsync: nothing is installed.\n")
	out, _ = call(t, 0, "triggers", "list", "--all", "--database-url", url)
	wantText(t, "empty list of all", out, "Nothing is installed in this database.\n")

	open(t, url, "rowsync", teams)
	closeClient(t, url, "other", open(t, url, "other", users))
	execute(t, url, "alter table users disable trigger user", "alter table users rename to people")
	out, _ = call(t, 0, "triggers", "list", "--all", "--database-url", url)
	wantText(t, "list of all", constant(out), `
Namespace other: 1 definition

  public.users (the table is gone)
    definition  HASH
    key         id
    columns     team_id
    compared    email
    operations  update
    function    "other"."capture_HASH"
    triggers    rowsync_HASH_truncate on public.people (disabled)
                rowsync_HASH_update on public.people (disabled)
    read by     nobody

Namespace rowsync: 1 definition

  public.teams
    definition  HASH
    key         id
    columns     name
    operations  insert, update, delete, truncate
    function    "rowsync"."capture_HASH"
    triggers    rowsync_HASH_delete
                rowsync_HASH_insert
                rowsync_HASH_truncate
                rowsync_HASH_update
    read by     pid N (rowsync, postgres)
`)
	out, _ = call(t, 0, "triggers", "list", "--database-url", url)
	wantContains(t, "list", out, "public.teams", "There are other namespaces, which --all lists too: other\n")

	out, _ = call(t, 0, "triggers", "list", "--all", "--json", "--database-url", url)
	var list []struct {
		Namespace, Definition, Schema, Table string
		TableExists                          bool `json:"table_exists"`
		Operations                           []string
		Triggers                             []struct{ Enabled bool }
		Readers                              []struct{ PID int }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if l := list[0]; l.Namespace != "other" || l.TableExists || len(l.Triggers) != 2 || l.Triggers[0].Enabled || len(l.Readers) != 0 {
		t.Errorf("the first is %+v", l)
	}
	if l := list[1]; l.Table != "teams" || !l.TableExists || !l.Triggers[0].Enabled || len(l.Readers) != 1 || l.Readers[0].PID == 0 {
		t.Errorf("the second is %+v", l)
	}
	out, _ = call(t, 0, "triggers", "list", "--json", "--namespace", "none", "--database-url", url)
	wantText(t, "empty JSON", out, "[]\n")
}

// TestTriggersSQL: what it prints is what a program with the same watchers
// installs, and may be run again.
func TestTriggersSQL(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	args := []string{"--database-url", url, "--table", "teams", "--columns", "name",
		"--table", "users", "--columns", "team_id", "--changed", "email"}
	script, _ := call(t, 0, append([]string{"triggers", "sql"}, args...)...)
	if n := installed(t, url); n != 0 {
		t.Fatalf("to print installs %d things", n)
	}
	execute(t, url, script, script)
	there := installed(t, url)
	out, _ := call(t, 0, append([]string{"triggers", "verify"}, args...)...)
	wantText(t, "verify", out, "All is there and enabled for 2 tables.\n")
	open(t, url, "rowsync", teams, users)
	if n := installed(t, url); n != there {
		t.Errorf("a program installs %d things more", n-there)
	}
}

func TestTriggersVerify(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	verify := func(status int, args ...string) string {
		t.Helper()
		out, errs := call(t, status, append([]string{"triggers", "verify", "--database-url", url}, args...)...)
		return constant(out + errs)
	}
	wantText(t, "nothing installed", verify(0), "Namespace rowsync: nothing is installed.\n")
	wantContains(t, "missing", verify(1, "--table", "teams"), "rowsync triggers verify: namespace rowsync: ", "schema ", "trigger rowsync_HASH_insert on public.teams")

	closeClient(t, url, "rowsync", open(t, url, "rowsync", teams, users))
	wantText(t, "whole", verify(0), "Namespace rowsync: 2 definitions, all whole and enabled.\n")
	verify(0, "--table", "teams", "--columns", "name")
	wantContains(t, "other columns", verify(1, "--table", "teams"), "function ")

	execute(t, url, "alter table teams disable trigger user")
	wantContains(t, "disabled", verify(1), "public.teams: definition HASH: the trigger rowsync_HASH_insert is disabled\n")
	wantContains(t, "disabled", verify(1, "--table", "teams", "--columns", "name"), "rowsync_HASH_insert on public.teams (it is disabled)")
	execute(t, url, "alter table teams enable trigger user", `do $$ declare n name; begin
		select tgname into n from pg_trigger where tgname like 'rowsync%update' and tgrelid = 'teams'::regclass;
		execute format('drop trigger %I on teams', n); end $$`)
	wantText(t, "one trigger dropped", verify(1), "public.teams: definition HASH: the trigger for update is missing\n")
	execute(t, url, "drop table users, teams")
	wantText(t, "tables dropped", verify(1), "public.teams: definition HASH: the table is gone, its trigger function is not\npublic.users: definition HASH: the table is gone, its trigger function is not\n")
	execute(t, url, watchedTables, "drop table rowsync.journal")
	wantText(t, "journal dropped", verify(1), `
rowsync.journal: the table is gone, and no change is captured
public.teams: definition HASH: it has no triggers, only its function
public.users: definition HASH: it has no triggers, only its function
`)
}

// watchedTables are two of watchedSQL.
const watchedTables = "create table teams (id int); create table users (id int)"

// answering runs clean on a terminal where somebody gives an answer.
func answering(t *testing.T, answer string, status int, args ...string) string {
	t.Helper()
	s := startWith(t, cli.Streams{In: strings.NewReader(answer), InTerminal: true}, append([]string{"triggers", "clean"}, args...)...)
	s.wait(t, status)
	return constant(s.out.String() + s.err.String())
}

func TestTriggersClean(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	at := []string{"--database-url", url}
	wantText(t, "nothing there", answering(t, "", 0, at...), "Namespace rowsync: there is nothing to remove.\n")

	reading := open(t, url, "rowsync", teams)
	closeClient(t, url, "rowsync", open(t, url, "rowsync", users))
	const shown = `
public.teams, definition HASH, stays: it is read by pid N (rowsync, postgres)
Nobody reads, and so to be removed:

  public.users
    definition  HASH
    key         id
    columns     team_id
    compared    email
    operations  update
    function    "rowsync"."capture_HASH"
    triggers    rowsync_HASH_truncate
                rowsync_HASH_update
    read by     nobody

`
	before := installed(t, url)
	for _, answer := range []string{"", "\n", "n\n", "yesterday\n"} {
		text := answering(t, answer, 0, at...)
		if answer == "" {
			text = strings.Replace(text, "[y/N] \n", "[y/N] ", 1) // the end of the input ends the line
		}
		wantText(t, "answer "+answer, text, shown+"Remove it? [y/N] Nothing was removed.\n")
	}
	if n := installed(t, url); n != before {
		t.Fatalf("%d things are installed, were %d", n, before)
	}
	wantText(t, "answer y", answering(t, "y\n", 0, at...), shown+"Remove it? [y/N] Removed 1 definition.\n")
	wantText(t, "again", answering(t, "", 0, at...), "public.teams, definition HASH, stays: it is read by pid N (rowsync, postgres)\n")
	if n := installed(t, url); n != before-3 {
		t.Errorf("%d things are installed, want %d", n, before-3)
	}

	// Whoever reads keeps the whole namespace.
	text := answering(t, "y\n", 1, append(at, "--drop-namespace")...)
	wantContains(t, "drop", text, "stays: it is read by pid N", "rowsync triggers clean: namespace rowsync is read: end its readers")
	closeClient(t, url, "rowsync", reading)
	text = answering(t, "y\n", 0, append(at, "--drop-namespace")...)
	wantContains(t, "drop", text, "the schema rowsync with its journal", "Removed 1 definition.\nRemoved the schema rowsync.\n")
	wantNothingLeft(t, url)
	wantText(t, "drop again", answering(t, "", 0, append(at, "--drop-namespace")...), "Namespace rowsync: there is nothing to remove.\n")
}

func TestTriggersCleanDefinition(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	reading := open(t, url, "rowsync", teams)
	closeClient(t, url, "rowsync", open(t, url, "rowsync", users))
	const definition = "select substr(proname, 9) from pg_proc where obj_description(oid, 'pg_proc') like '%%\"table\":\"%s\"%%'"
	ofTeams := query[string](t, url, strings.ReplaceAll(strings.ReplaceAll(definition, "%s", "teams"), "%%", "%"))
	ofUsers := query[string](t, url, strings.ReplaceAll(strings.ReplaceAll(definition, "%s", "users"), "%%", "%"))

	_, errs := call(t, 1, "triggers", "clean", "--database-url", url, "--yes", "--definition", "0123456789abcdef")
	wantContains(t, "unknown", errs, "namespace rowsync has no definition 0123456789abcdef")
	out, _ := call(t, 1, "triggers", "clean", "--database-url", url, "--yes", "--definition", ofTeams)
	wantContains(t, "read", out, "stays: it is read by pid ")
	out, _ = call(t, 0, "triggers", "clean", "--database-url", url, "--yes", "--definition", ofUsers)
	wantContains(t, "unread", out, "Removed 1 definition.")
	closeClient(t, url, "rowsync", reading)
	out, _ = call(t, 0, "triggers", "clean", "--database-url", url, "--yes", "--drop-namespace")
	wantContains(t, "all", out, "Removed 1 definition.\nRemoved the schema rowsync.\n")
	wantNothingLeft(t, url)
}

// TestTriggersCleanLeavesOthersAlone: what rowsync did not make in this
// namespace stays, whatever it is called.
func TestTriggersCleanLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	closeClient(t, url, "rowsync", open(t, url, "rowsync", teams))
	closeClient(t, url, "other", open(t, url, "other", teams))
	execute(t, url, `create function rowsync.capture_0123456789abcdef() returns trigger language plpgsql as 'begin return null; end'`,
		`create trigger rowsync_0123456789abcdef_insert after insert on teams execute function rowsync.capture_0123456789abcdef()`)
	call(t, 0, "triggers", "clean", "--database-url", url, "--yes")
	if n := query[int](t, url, `select count(*) from pg_trigger where tgname like 'rowsync\_%'`); n != 1+4 {
		t.Errorf("%d triggers are left, want one of the application and 4 of the other namespace", n)
	}
}

// TestTriggersCleanByRoleThatInstalled: TRIGGER is enough to create a trigger
// and not to drop it.
func TestTriggersCleanByRoleThatInstalled(t *testing.T) {
	t.Parallel()
	url := watchedDatabase(t)
	role, as := modest(t, url)
	execute(t, url, "do $$ begin execute format('grant create on database %I to "+role+"', current_database()); end $$", "grant trigger on teams to "+role)
	closeClient(t, as, "rowsync", open(t, as, "rowsync", teams))
	call(t, 0, "triggers", "clean", "--database-url", as, "--yes", "--drop-namespace")
	wantNothingLeft(t, url)
}
