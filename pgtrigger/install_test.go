package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// objects says what of rowsync's is in the database, and which transaction
// made each.
const objects = `select string_agg(o, E'\n' order by o) from (
	select 'function ' || proname || ' ' || p.xmin from pg_proc p join pg_namespace s on s.oid = pronamespace where nspname = 'rowsync'
	union all select 'trigger ' || tgrelid::regclass || ' ' || tgname || ' ' || xmin from pg_trigger where tgname like 'rowsync%'
	union all select 'relation ' || relname || ' ' || c.oid from pg_class c join pg_namespace s on s.oid = relnamespace where nspname = 'rowsync'
	union all select 'schema ' || xmin from pg_namespace where nspname = 'rowsync') x(o)`

// A second start finds everything there and runs no DDL.
func TestSecondStartRunsNoDDL(t *testing.T) {
	url := database(t, postsSQL)
	start(t, url, Options{}, posts()).stop()
	w := connect(t, url)
	before := w.one(objects)
	w.do(`create function no_ddl() returns event_trigger language plpgsql as $$ begin raise 'DDL: %', tg_tag; end $$;
		create event trigger no_ddl on ddl_command_start execute function no_ddl()`)
	// Whoever holds a lock on the table doesn't matter either.
	blocker := connect(t, url)
	blocker.do("begin; lock table posts in access exclusive mode")
	start(t, url, Options{}, posts()).stop()
	if after := w.one(objects); after != before {
		t.Errorf("objects before:\n%s\nand after:\n%s", before, after)
	}
}

// The order in which the columns are named makes no difference.
func TestOrderOfColumns(t *testing.T) {
	url := database(t, postsSQL)
	a, b := posts(), posts()
	a.Columns, b.Columns = []string{"author_id", "title"}, []string{"title", "author_id"}
	one, two := start(t, url, Options{}, a), start(t, url, Options{}, b)
	w := connect(t, url)
	if got := w.one("select count(*) from pg_trigger where tgname like 'rowsync%'"); got != "4" {
		t.Errorf("%s triggers, want 4", got)
	}
	w.do("insert into posts values (1000, 1, 'x')")
	if got := showRow(one.awaitChanges(1)[0].New); got != "(1000,1,x)" {
		t.Errorf("row %s", got)
	}
	if got := showRow(two.awaitChanges(1)[0].New); got != "(1000,x,1)" {
		t.Errorf("row %s", got)
	}
}

// Two versions of a program capture the same table side by side; each is told
// of every change once, by its own definition.
func TestTwoVersions(t *testing.T) {
	url := database(t, postsSQL)
	v1, v2 := posts(), posts()
	v2.Columns = []string{"author_id", "title"}
	one, two := start(t, url, Options{}, v1), start(t, url, Options{}, v2)
	one.awaitAsleep()
	two.awaitAsleep()
	w := connect(t, url)
	w.do("insert into posts values (1000, 1, 'x')")
	w.do("insert into posts select g, g, '' from generate_series(2000, 3000) g")
	if got := showRow(one.awaitChanges(1002)[0].New); got != "(1000,1)" {
		t.Errorf("row %s", got)
	}
	if got := showRow(two.awaitChanges(1002)[0].New); got != "(1000,1,x)" {
		t.Errorf("row %s", got)
	}
}

// Two namespaces know nothing of each other.
func TestTwoNamespaces(t *testing.T) {
	url := database(t, postsSQL)
	one, two := start(t, url, Options{}, posts()), start(t, url, Options{Namespace: `My "other" App\1`}, posts())
	one.awaitAsleep()
	two.awaitAsleep()
	w := connect(t, url)
	w.do("delete from posts where id = 1")
	one.awaitChanges(1)
	two.awaitChanges(1)
	w.do("drop schema rowsync cascade")
	w.do("delete from posts where id = 2")
	two.awaitChanges(2)
}

// Many nodes start at once on an empty database, while writers write.
func TestStartTogether(t *testing.T) {
	url := database(t, postsSQL)
	ctx, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for i := range 3 {
		w := connect(t, url)
		writing.Go(func() {
			for ctx.Err() == nil {
				w.do(fmt.Sprintf("begin; update posts set title = 'x' where id = %d; select pg_sleep(0.01); commit", i+1))
			}
		})
	}
	nodes := make([]*node, 8)
	var starting sync.WaitGroup
	for i := range nodes {
		nodes[i] = begin(t, url, Options{}, posts())
		starting.Go(func() {
			nodes[i].await("the start", func() bool { return nodes[i].started })
		})
	}
	starting.Wait()
	cancel()
	writing.Wait()
	w := connect(t, url)
	if got := w.one("select count(*) from pg_trigger where tgname like 'rowsync%'"); got != "4" {
		t.Errorf("%s triggers, want 4", got)
	}
	w.do("insert into posts values (1000, 1, '')")
	for _, n := range nodes {
		n.await("the insert", func() bool { return len(n.changes) > 0 && n.changes[len(n.changes)-1].Op == capture.Insert })
	}
}

// Installing waits for a writer in short turns, so that other writers go on.
func TestInstallGivesWay(t *testing.T) {
	url := database(t, postsSQL)
	open := connect(t, url)
	open.do("begin; update posts set title = '' where id = 1")
	n := begin(t, url, Options{LockTimeout: 20 * time.Millisecond}, posts())
	w := connect(t, url)
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		began := time.Now()
		w.do("update posts set title = '' where id = 2")
		if took := time.Since(began); took > time.Second {
			t.Fatalf("a writer waited %v", took)
		}
	}
	n.update(func() {
		if n.started {
			t.Error("started before the triggers can be there")
		}
	})
	open.do("commit")
	n.await("the start", func() bool { return n.started })
}

func TestInstallTimeout(t *testing.T) {
	url := database(t, postsSQL)
	open := connect(t, url)
	open.do("begin; update posts set title = '' where id = 1")
	n := begin(t, url, Options{LockTimeout: 10 * time.Millisecond, InstallTimeout: 100 * time.Millisecond}, posts())
	n.awaitError("install capture of public.posts", "100ms")
}

// awaitError waits until Run returns an error with all the words.
func (n *node) awaitError(words ...string) {
	n.t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		err, changed := n.ended, n.changed
		n.mu.Unlock()
		if err != nil {
			for _, word := range words {
				if !strings.Contains(err.Error(), word) {
					n.t.Errorf("error %q does not say %q", err, word)
				}
			}
			return
		}
		select {
		case <-changed:
		case <-deadline:
			n.t.Fatal("Run goes on")
		}
	}
}

// Everything that is wrong with any table is said at once, and nothing is
// installed.
func TestBadTables(t *testing.T) {
	url := database(t, postsSQL, `
		create view seen as select * from posts;
		create materialized view kept as select * from posts;
		create foreign data wrapper far; create server away foreign data wrapper far;
		create foreign table foreigner (id int) server away;
		create sequence counter`)
	temporary := connect(t, url)
	temporary.do("create temporary table passing (id int)")
	of := func(name string, key ...string) *capture.Table {
		return &capture.Table{Schema: "public", Name: name, Key: key}
	}
	in := func(schema, name, key string) *capture.Table {
		return &capture.Table{Schema: schema, Name: name, Key: []string{key}}
	}
	wrong := posts()
	wrong.Columns, wrong.Compared = []string{"author", "author_id", "author_id"}, []string{"title", "author_id", "nothing"}
	tempSchema := temporary.one("select nspname from pg_namespace where oid = pg_my_temp_schema()")
	n := begin(t, url, Options{}, of("missing", "id"), of("seen", "id"), of("kept", "id"), of("foreigner", "id"), of("counter", "last_value"), wrong, posts(),
		in("pg_catalog", "pg_class", "oid"), in("information_schema", "sql_parts", "feature_id"), in(tempSchema, "passing", "id"), in("nowhere", "posts", "id"))
	n.awaitError("capture public.missing: the database has no such table", "capture nowhere.posts: the database has no such table",
		"capture public.seen: it is a view: capture the tables", "capture public.kept: it is a materialized view: capture the tables",
		"capture public.foreigner: it is a foreign table: capture it in the database where it lives", "capture public.counter: the database has no such table",
		`capture public.posts: it has no column "author", column "author_id" is named twice, column "author_id" is named twice, it has no column "nothing"; its columns are id, author_id, title`,
		"capture public.posts: the table is named twice", "capture pg_catalog.pg_class: it is a system table", "capture information_schema.sql_parts: it is a system table",
		"capture "+tempSchema+".passing: it is a temporary table")
	if got := connect(t, url).one("select count(*) from pg_namespace where nspname = 'rowsync'"); got != "0" {
		t.Error("something was installed")
	}
	begin(t, url, Options{}, of("posts")).awaitError("public.posts: it has no key")
	begin(t, url, Options{}, of("posts", "number")).awaitError(`public.posts: it has no column "number"; its columns are id, author_id, title`)
	n = start(t, url, Options{}, posts())
	n.stop()
	begin(t, url, Options{}, in("rowsync", "journal", "xid")).awaitError("capture rowsync.journal: it is one of rowsync's own tables")
}

// A table with partitions, or children, that are foreign: what is written here
// is captured. PostgreSQL before 16 has no triggers for their TRUNCATE.
func TestForeignMembers(t *testing.T) {
	url := database(t, `
		create table parted (id int) partition by list (id); create table parent (id int);
		create extension if not exists postgres_fdw`)
	w := connect(t, url)
	w.do(fmt.Sprintf(`create server here foreign data wrapper postgres_fdw options (host %s, port %s, dbname %s);
		create user mapping for current_user server here options (user %s);
		create table far1 (id int); create table far2 (id int);
		create foreign table part partition of parted for values in (1) server here options (table_name 'far1');
		create foreign table child () inherits (parent) server here options (table_name 'far2')`,
		literal(w.Config().Host), literal(fmt.Sprint(w.Config().Port)), literal(w.one("select current_database()")), literal(w.Config().User)))
	n := start(t, url, Options{}, table("parted"), table("parent"))
	w.do("insert into parted values (1); delete from parted; insert into child values (1); insert into parent values (2); update parent set id = 3 where id = 2; delete from parent")
	want := "insert public.parted ∅→(1); delete public.parted (1)→∅; insert public.parent ∅→(1); insert public.parent ∅→(2); update public.parent (2)→(3); delete public.parent (3)→∅; delete public.parent (1)→∅"
	if got := show(n.awaitChanges(7)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wanted := "4"
	if postgresMajor(t) < firstForeignTruncate {
		wanted = "3"
	}
	if got := w.one("select count(*) from pg_trigger where tgname like 'rowsync%' and tgrelid = 'child'::regclass"); got != wanted {
		t.Errorf("%s triggers on the foreign child, want %s", got, wanted)
	}
}

func TestBadOptions(t *testing.T) {
	url := database(t, postsSQL)
	for word, o := range map[string]Options{
		"Namespace: \"" + strings.Repeat("x", 70) + "\" is 7 bytes longer": {Namespace: strings.Repeat("x", 70)},
		"begin with pg_":               {Namespace: "pg_mine"},
		"PollInterval: -1s":            {PollInterval: -time.Second},
		"Retention: 1ns":               {Retention: 1},
		"MaxRows: -1":                  {MaxRows: -1},
		"LockTimeout: -1ns is less":    {LockTimeout: -1},
		"InstallTimeout: -1ns is less": {InstallTimeout: -1},
	} {
		begin(t, url, o, posts()).awaitError(word)
	}
}

// A role without the privileges is told what it lacks and how to get it; with
// the SQL run by another role it can capture.
func TestPrivileges(t *testing.T) {
	url := database(t, postsSQL)
	w := connect(t, url)
	w.do("do $$ begin create role app login; exception when duplicate_object or unique_violation then end $$; grant select, insert, update, delete on posts to app")
	appURL := url + "&user=app"
	if got := connect(t, appURL).one("select current_user"); got != "app" {
		t.Fatalf("connected as %s", got)
	}
	begin(t, appURL, Options{}, posts()).awaitError("may not create the schema", "may not create triggers on public.posts", "Source.SQL")
	begin(t, appURL, Options{VerifyOnly: true}, posts()).awaitError("VerifyOnly", "schema \"rowsync\"", "trigger rowsync_", "Source.SQL")

	src := New(newPool(t, appURL), &Options{VerifyOnly: true})
	sql, err := src.SQL(t.Context(), []*capture.Table{posts()})
	if err != nil {
		t.Fatal(err)
	}
	w.do(sql)
	before := w.one(objects)
	w.do(sql) // again and again
	begin(t, appURL, Options{VerifyOnly: true}, posts()).awaitError("lacks USAGE on the schema")
	w.do(`grant usage on schema rowsync to app; grant select, delete on rowsync.journal to app; grant select, insert, update on rowsync.state to app`)
	n := start(t, appURL, Options{VerifyOnly: true}, posts())
	n.awaitAsleep()
	connect(t, appURL).do("delete from posts where id = 1")
	n.awaitChanges(1)
	if strings.Count(before, "\n") != strings.Count(w.one(objects), "\n") {
		t.Errorf("objects before:\n%s\nand after:\n%s", before, w.one(objects))
	}
	if removed, err := n.src.clean(t.Context(), 0); err != nil || removed != 0 {
		t.Errorf("clean: %d, %v", removed, err)
	}
	w.do("alter table posts disable trigger all")
	begin(t, appURL, Options{VerifyOnly: true}, posts()).awaitError("VerifyOnly")
}

// Nobody else can write entries through the trigger functions.
func TestFunctionsArePrivate(t *testing.T) {
	url := database(t, postsSQL)
	start(t, url, Options{}, posts())
	w := connect(t, url)
	w.do("grant usage on schema rowsync to public; grant create on schema public to public; " + createWeak)
	name := w.one("select proname from pg_proc where proname like 'capture!_%' escape '!'")
	w.do("set role weak; create table mine (id bigint, author_id bigint)")
	_, err := w.Exec(t.Context(), fmt.Sprintf("create trigger t after insert on mine referencing new table as new_rows for each statement execute function rowsync.%s()", name))
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("another role may use the trigger function: %v", err)
	}
}

func TestConnectFails(t *testing.T) {
	url := database(t, postsSQL)
	n := begin(t, url+"&nonsense=1", Options{}, posts())
	n.awaitError("connect: ")
	if err := n.stop(); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
}
