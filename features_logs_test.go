package rowsync_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
	"github.com/rowsync/rowsync/pgtrigger"
)

// book is a slog.Handler that keeps what is logged.
type book struct {
	least slog.Level
	mu    sync.Mutex
	lines []string
	added chan struct{} // closed with each line
}

func newBook(least slog.Level) *book { return &book{least: least, added: make(chan struct{})} }

func (b *book) Enabled(_ context.Context, l slog.Level) bool { return l >= b.least }
func (b *book) WithAttrs([]slog.Attr) slog.Handler           { return b }
func (b *book) WithGroup(string) slog.Handler                { return b }
func (b *book) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	close(b.added)
	b.added = make(chan struct{})
	return nil
}

// about returns the lines so far that contain all parts.
func (b *book) about(parts ...string) (lines []string, added <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			lines = append(lines, line)
		}
	}
	return lines, b.added
}

// await waits for a line that contains all parts.
func (b *book) await(t *testing.T, parts ...string) string {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		lines, added := b.about(parts...)
		if len(lines) > 0 {
			return lines[0]
		}
		select {
		case <-added:
		case <-timeout:
			all, _ := b.about()
			t.Fatalf("no line says %q:\n%s", parts, strings.Join(all, "\n"))
		}
	}
}

// TestA17DebugLogs: start, change received, broadcast, subscribe and
// unsubscribe, with the watcher's name; for all watchers at level Debug, for one
// with Debug set at level Info.
func TestA17DebugLogs(t *testing.T) {
	watchers := func() []rowsync.Watcher {
		return []rowsync.Watcher{
			rowsync.Watch{Model: User{}},
			rowsync.Watch{Table: "users", Label: "loud", Debug: true, On: rowsync.Updated, TriggerColumns: []string{"email"}},
		}
	}
	use := func(t *testing.T, least slog.Level) *book {
		t.Helper()
		log := newBook(least)
		w := openWatchWith(t, usersSQL, &rowsync.Options{Watchers: watchers(), Logger: slog.New(log)})
		w.follow(rowsync.On[User](rowsync.AnyOp).Key(2), rowsync.Label("loud"))
		w.told(`update users set email = 'x' where id = 2`, `update users set phone = 'x' where id = 2`, `delete from users where id = 2`)
		if err := w.sub.UnsubscribeFrom(rowsync.Label("loud")); err != nil {
			t.Fatal(err)
		}
		return log
	}
	expect := func(t *testing.T, log *book, watcher string, want ...string) {
		t.Helper()
		got, _ := log.about("watcher=" + watcher)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("logged of %s\n%s\nwant lines that begin with\n%s", watcher, strings.Join(got, "\n"), strings.Join(want, "\n"))
				return
			}
		}
	}
	loud := []string{
		"INFO rowsync: watching watcher=loud table=public.users on=updated",
		`INFO rowsync: subscribed watcher=loud table=public.users target="loud"`,
		"INFO rowsync: change received watcher=loud table=public.users op=update key=[2] position=",
		"INFO rowsync: change broadcast watcher=loud table=public.users op=update key=[2] position=",
		`INFO rowsync: unsubscribed watcher=loud table=public.users target="loud"`,
	}
	t.Run("one", func(t *testing.T) {
		log := use(t, slog.LevelInfo)
		expect(t, log, "loud", loud...)
		expect(t, log, "(User")
	})
	t.Run("all", func(t *testing.T) {
		log := use(t, slog.LevelDebug)
		expect(t, log, "loud", loud...)
		const of = " watcher=(User, inserted|updated|deleted) table=public.users "
		received, broadcast := "DEBUG rowsync: change received"+of, "DEBUG rowsync: change broadcast"+of
		expect(t, log, "(User",
			"DEBUG rowsync: watching"+of+"on=inserted|updated|deleted",
			"DEBUG rowsync: subscribed"+of+"target=(User, inserted|updated|deleted) with key [2]",
			received+"op=update key=[2]", broadcast+"op=update key=[2]",
			received+"op=update key=[2]", broadcast+"op=update key=[2]",
			received+"op=delete key=[2]", broadcast+"op=delete key=[2]",
		)
		log.await(t, "change broadcast", "watcher=loud", "events=2") // one with the label, one without
	})
}

// TestA16Leftovers: triggers and functions of earlier watchers are found at
// start and logged with the way to remove them, and removed on request; nothing
// else ever is.
func TestA16Leftovers(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL+`
		create function rowsync_mine() returns trigger language plpgsql as $$ begin return null; end $$;
		create trigger rowsync_mine after insert on users for each row execute function rowsync_mine();`))
	triggers := func() (names []string) {
		err := db.QueryRow(t.Context(), `select array_agg(tgname::text order by tgname) from pg_trigger where not tgisinternal`).Scan(&names)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	start := func(cleanup bool, ws ...rowsync.Watcher) (*rowsync.Client, *book) {
		log := newBook(slog.LevelInfo)
		client, err := rowsync.Open(t.Context(), db, &rowsync.Options{
			Watchers: ws, Logger: slog.New(log),
			Source: pgtrigger.New(db, &pgtrigger.Options{Logger: slog.New(log), Cleanup: cleanup}),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client, log
	}
	old, _ := start(false, rowsync.Watch{Model: User{}})
	left := old.Watchers()[0]
	used, log := start(true, rowsync.Watch{Model: UserRole{}})
	log.await(t, "other programs read", left.Function) // in use: kept, though clean-up is asked for
	old.Close()
	for readers := 2; readers != 1; { // the server notices a moment later
		err := db.QueryRow(t.Context(), "select count(*) from pg_stat_activity where application_name = 'rowsync' and datname = current_database()").Scan(&readers)
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := used.Watchers()[0].Triggers

	next, log := start(false) // an empty list of watchers looks too
	log.await(t, "found leftovers", left.Function, left.Triggers[0], "ROWSYNC_CLEANUP=cleanup")
	next.Close()
	t.Setenv("ROWSYNC_CLEANUP", "cleanup")
	next, log = start(false)
	log.await(t, "removed leftovers", left.Function)
	next.Close()
	want := append(slices.Clone(kept), "rowsync_mine")
	if slices.Sort(want); !slices.Equal(triggers(), want) {
		t.Errorf("triggers after the clean-up: %q, want %q", triggers(), want)
	}
	t.Setenv("ROWSYNC_CLEANUP", "yes")
	_, err := rowsync.Open(t.Context(), db, nil)
	if err == nil {
		t.Fatal("Open did not fail")
	}
	wantAll(t, err, `environment variable ROWSYNC_CLEANUP is "yes"`)
}
