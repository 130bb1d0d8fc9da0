package pgtrigger

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// withTitle is posts as another version of the program captures it.
func withTitle() *capture.Table {
	table := posts()
	table.Columns = []string{"author_id", "title"}
	return table
}

// awaitOne waits until the query gives the value.
func (w *writer) awaitOne(sql, want string) {
	w.t.Helper()
	for end := time.Now().Add(patience); w.one(sql) != want; {
		if time.Now().After(end) {
			w.t.Fatalf("%s gives %s, waited in vain for %s", sql, w.one(sql), want)
		}
	}
}

const countTriggers = "select count(*) from pg_trigger where tgname like 'rowsync%'"

// What no watcher names is logged at the start, with the way to remove it, and
// stays where it is. An empty list looks for it too.
func TestLeftoversAreLogged(t *testing.T) {
	url := database(t, postsSQL)
	start(t, url, Options{}, posts()).stop()
	w := connect(t, url)
	for _, tables := range [][]*capture.Table{tablesOf(withTitle()), nil} {
		log := newLogs(t)
		n := start(t, url, Options{Logger: log.logger(slog.LevelInfo)}, tables...)
		log.await("level=WARN", "found leftovers", "public.posts: function", "trigger rowsync_", "ROWSYNC_CLEANUP=cleanup", "Source.Remove")
		n.stop()
	}
	if got := w.one(countTriggers); got != "8" {
		t.Errorf("%s triggers, want 8", got)
	}
	log := newLogs(t)
	n := start(t, url, Options{Logger: log.logger(slog.LevelInfo)}, posts())
	log.await("found leftovers")
	n.stop()
	if line := log.lines("found leftovers")[0]; strings.Count(line, "function") != 1 {
		t.Errorf("more than one leftover in %s", line)
	}
}

// On request leftovers go: those of tables that are gone, or that need quotes,
// too. What a reader uses, what another namespace has and what rowsync did not
// make stays, whatever it is called.
func TestCleanup(t *testing.T) {
	for _, way := range []string{"option", "environment"} {
		t.Run(way, func(t *testing.T) {
			url := database(t, postsSQL, `
				create schema "0xAb""c"; create table "0xAb""c"."Camel.Case" ("Id" bigint primary key);
				create table gone (id bigint primary key);
				create table parted (id bigint primary key) partition by range (id);
				create table part partition of parted for values from (0) to (100)`)
			odd := &capture.Table{Schema: `0xAb"c`, Name: "Camel.Case", Key: []string{"Id"}}
			gone := &capture.Table{Schema: "public", Name: "gone", Key: []string{"id"}}
			start(t, url, Options{Namespace: "Other"}, posts()).stop()
			parted := &capture.Table{Schema: "public", Name: "parted", Key: []string{"id"}}
			start(t, url, Options{}, posts(), odd, gone, parted).stop()
			used := posts()
			used.Columns = nil
			reader := start(t, url, Options{}, used)
			w := connect(t, url)
			w.do(`drop table gone;
				create function rowsync.capture_mine() returns trigger language plpgsql as 'begin return null; end';
				create function rowsync.capture_0123456789abcdef() returns trigger language plpgsql as 'begin return null; end';
				create trigger rowsync_0123456789abcdef_insert after insert on posts for each row execute function rowsync.capture_0123456789abcdef();
				create trigger rowsync_mine after insert on posts for each row execute function rowsync.capture_mine();
				comment on function rowsync.capture_mine() is '{"rowsync":1,"namespace":"rowsync","definition":"0123456789abcdef","schema":"public","table":"posts"}'`)
			opts := Options{Cleanup: true}
			if way == "environment" {
				t.Setenv("ROWSYNC_CLEANUP", "cleanup")
				opts = Options{}
			}
			log := newLogs(t)
			opts.Logger = log.logger(slog.LevelInfo)
			start(t, url, opts, withTitle())
			line := log.await("removed leftovers")
			for _, name := range []string{"public.gone", "the table is gone", "Camel.Case", "public.posts", "public.parted"} {
				if !strings.Contains(line, name) {
					t.Errorf("%q is not in %s", name, line)
				}
			}
			log.await("other programs read", "read by pid")
			// posts: 4 of the reader in use, 4 of the new one, 4 of the other namespace, 2 of somebody else.
			w.awaitOne(countTriggers, "14")
			if got := w.one(`select count(*) from pg_proc p join pg_namespace s on s.oid = pronamespace where nspname = 'rowsync'`); got != "4" {
				t.Errorf("%s functions, want 4", got)
			}
			w.do("delete from posts where id = 1")
			reader.awaitChanges(1)
			if len(reader.resets) > 0 {
				t.Errorf("resets %v", reader.resets)
			}
		})
	}
}

func TestCleanupVariable(t *testing.T) {
	t.Setenv("ROWSYNC_CLEANUP", "yes")
	begin(t, database(t, postsSQL), Options{}, posts()).awaitError("ROWSYNC_CLEANUP", `"yes"`, `"cleanup"`)
}

// Leftovers that can't be removed are logged, and the program runs.
func TestCleanupFails(t *testing.T) {
	url := database(t, postsSQL)
	start(t, url, Options{}, withTitle()).stop()
	n := start(t, url, Options{}, posts()) // so that the new start has nothing to install
	w := connect(t, url)
	w.do("begin; lock table posts in share mode")
	log := newLogs(t)
	again := start(t, url, Options{Cleanup: true, LockTimeout: 5 * time.Millisecond, InstallTimeout: 50 * time.Millisecond,
		Logger: log.logger(slog.LevelInfo)}, posts())
	log.await("level=WARN", "could not remove a leftover", "public.posts", "lock")
	w.do("rollback; delete from posts where id = 1")
	n.awaitChanges(1)
	again.awaitChanges(1)
}

// Two versions side by side: the new one starts while the old one goes on, and
// what the old one needs is removed only after it has ended.
func TestRollingDeploy(t *testing.T) {
	url := database(t, postsSQL)
	old := start(t, url, Options{}, posts())
	hash := hashes(t, old.src)[0]
	log := newLogs(t)
	young := start(t, url, Options{Cleanup: true, Logger: log.logger(slog.LevelInfo)}, withTitle())
	log.await("other programs read", hash, "read by pid")

	var used *InUseError
	removed, err := young.src.Remove(t.Context(), hash)
	if !errors.As(err, &used) || len(removed) > 0 || len(used.Installed.Readers) != 1 || used.Installed.Readers[0].Application != "rowsync" {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	w := connect(t, url)
	w.do("delete from posts where id = 1")
	old.awaitChanges(1)
	young.awaitChanges(1)

	old.stop()
	w.awaitOne(readers, "1") // its backend ends a moment later
	if removed, err := young.src.Remove(t.Context(), hash); err != nil || !slices.Equal(removed, []string{hash}) {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	if _, err := young.src.Remove(t.Context(), hash, "nonsense"); err == nil ||
		!strings.Contains(err.Error(), "none of that name") || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("Remove: %v", err)
	}
	w.do("delete from posts where id = 2")
	young.awaitChanges(2)
	if got := w.one(countTriggers); got != "4" {
		t.Errorf("%s triggers, want 4", got)
	}
}

// hashes returns the definitions that are installed.
func hashes(t *testing.T, s *Source) []string {
	t.Helper()
	list, err := s.Installed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range list {
		all = append(all, i.Definition)
	}
	return all
}

// Starting and removing at the same time, over and over: whoever has started is
// told of every change.
func TestRemoveWhileStarting(t *testing.T) {
	url := database(t, postsSQL)
	remover := New(newPool(t, url), &Options{LockTimeout: 10 * time.Millisecond, Logger: quiet()})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				for _, hash := range hashes(t, remover) {
					remover.Remove(t.Context(), hash)
				}
			}
		}
	}()
	w := connect(t, url)
	for i := range 30 {
		n := start(t, url, Options{}, posts())
		w.do(fmt.Sprintf("insert into posts values (%d, 1, '')", 1000+i))
		n.awaitChanges(1)
		n.stop()
		n.pool.Close()
	}
	close(stop)
	<-done
}

// A reader that wakes gives back the locks that make writers ring, and not those
// that say what it reads.
func TestWakingKeepsClaims(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	w := connect(t, url)
	held := func() string {
		return w.one("select count(*) filter (where objid > 100) || ' ' || count(*) filter (where objid < 16) from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and database = (select oid from pg_database where datname = current_database())")
	}
	n.awaitAsleep()
	if got := held(); got != "1 16" {
		t.Errorf("asleep it holds %s locks, want 1 and 16", got)
	}
	mark := n.mark()
	w.do("do $$ begin for i in 0 .. 300 loop update posts set author_id = i where id = 1; commit; end loop; end $$")
	n.awaitEvent(mark, "awake", 1)
	if got := held(); got != "1 0" {
		t.Errorf("awake it holds %s locks, want 1 and 0", got)
	}
	if _, err := n.src.Remove(t.Context(), hashes(t, n.src)...); err == nil {
		t.Error("what is in use was removed")
	}
}

func TestDrop(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{}, posts())
	start(t, url, Options{Namespace: "Other"}, posts())
	w := connect(t, url)
	src := New(newPool(t, url), &Options{Logger: quiet()})
	var used *InUseError
	if err := src.Drop(t.Context()); !errors.As(err, &used) {
		t.Errorf("Drop: %v, want that it is in use", err)
	}
	w.do("delete from posts where id = 1")
	n.awaitChanges(1)
	n.stop()
	w.awaitOne(readers, "1")
	w.do("create table rowsync.mine (id int)")
	if err := src.Drop(t.Context()); err == nil || !strings.Contains(err.Error(), "drop schema") {
		t.Errorf("Drop: %v, want that the schema is not empty", err)
	}
	w.do("drop table rowsync.mine")
	for range 2 { // the second finds nothing
		if err := src.Drop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := w.one("select string_agg(nspname, ',') from pg_namespace where nspname in ('rowsync', 'Other')"); got != "Other" {
		t.Errorf("schemas left: %s", got)
	}
	if got := w.one(countTriggers); got != "4" {
		t.Errorf("%s triggers, want those of the other namespace", got)
	}
}
