package rowsync_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
	"github.com/rowsync/rowsync/pgtrigger"
)

// The tests TestFault… show right here what EctoWatch, from which watchers come,
// does wrong.

// TestFaultOversizedPayload: EctoWatch sends what changed through NOTIFY, which
// takes 8,000 bytes, and past them the user's own statement fails.
func TestFaultOversizedPayload(t *testing.T) {
	w := openWatch(t, "create table pages (id text primary key, body text)",
		rowsync.Watch{Table: "pages", Label: "pages", ExtraColumns: []string{"body"}})
	w.follow(rowsync.Label("pages"))
	for _, size := range []int{7_000, 8_001, 100_000, 2_000_000} {
		events := w.told(fmt.Sprintf("insert into pages values ('%d', repeat('x', %d))", size, size))
		if body, _ := events[0].Value("body"); len(events) != 1 || body.Text != strings.Repeat("x", size) {
			t.Errorf("%d events, the first with a body of %d bytes, want one with %d", len(events), len(body.Text), size)
		}
	}
}

// TestFaultListenKilled: EctoWatch loses what is committed while its LISTEN
// connection is down, and tells nobody.
func TestFaultListenKilled(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}})
	w.follow(rowsync.On[User](rowsync.Updated))
	var want, kills []string
	for range 20 {
		kills = append(kills, `do $$ begin perform pg_terminate_backend(pid) from pg_stat_activity
			where application_name = 'rowsync' and datname = current_database(); end $$`, `update users set phone = 'x' where id = 1`)
		want = append(want, "users update id=1 → id=1")
	}
	wantSaid(t, w.told(kills...), want...)
}

// TestFaultStartBlocksWriters: EctoWatch waits for the lock of a table without
// limit, and every other writer of the table waits behind it. Here the start
// gives way again and again, and writers pass.
func TestFaultStartBlocksWriters(t *testing.T) {
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL)), t}
	tx, err := db.Begin(t.Context()) // holds the table for as long as it goes on
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "update users set phone = 'x' where id = 1"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.Watch{Model: User{}}}})
		if err == nil {
			client.Close()
		}
		opened <- err
	}()
	// A writer that waits behind the start would wait until the transaction
	// ends, which it does after these.
	waited := 0
	for waited < 3 {
		if isWaiting(t, db, "ShareRowExclusiveLock") {
			db.exec("set local statement_timeout = '5s'; update users set phone = 'y' where id = 2")
			waited++
		}
	}
	select {
	case err := <-opened:
		t.Fatalf("Open returned while the table was held: %v", err)
	default:
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

// isWaiting reports whether somebody waits for a lock of that mode in the
// database.
func isWaiting(t *testing.T, db *database, mode string) (waits bool) {
	t.Helper()
	err := db.QueryRow(t.Context(), `select exists (select from pg_locks where mode = $1 and not granted
		and database = (select oid from pg_database where datname = current_database()))`, mode).Scan(&waits)
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

// TestFaultStartTogether: of several nodes that start at once with EctoWatch,
// some fail with "tuple concurrently updated".
func TestFaultStartTogether(t *testing.T) {
	for range 3 {
		db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[User](rowsync.With("Role"))}})
				if err != nil {
					t.Error(err)
					return
				}
				client.Close()
			})
		}
		wg.Wait()
	}
}

// TestFaultTruncate: EctoWatch tells nothing of TRUNCATE. Here it is a Reset of
// each table that it empties, for whoever follows anything of it, in its place.
func TestFaultTruncate(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}}, rowsync.Watch{Table: "users", Label: "mail", On: rowsync.Updated, TriggerColumns: []string{"email"}},
		rowsync.Watch{Table: "roles", Label: "roles"})
	const reset = "reset of public.users: the table was truncated"
	w.follow(rowsync.On[User](rowsync.Inserted))
	w.tells(`begin; insert into users (email) values ('d'); truncate users; insert into users (email) values ('e'); commit`,
		"users insert id=4", reset, "users insert id=5")
	for name, target := range map[string]rowsync.Target{
		"a row":   rowsync.On[User](rowsync.Updated).Key(1),
		"a label": rowsync.Label("mail").Key(77),
	} {
		sub := w.client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(target); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantSaid(t, w.toldTo(sub, "truncate users"), reset) })
	}
	w.told()
	w.follow(rowsync.Label("roles"))
	w.tells("truncate roles cascade", "reset of public.roles: the table was truncated", reset)
}

// TestFaultOrder: with EctoWatch, the insert, the update and the delete of one
// row, which are watchers of their own, arrive in any order.
func TestFaultOrder(t *testing.T) {
	w := openUsers(t,
		rowsync.Watch{Table: "users", Label: "inserted", On: rowsync.Inserted},
		rowsync.Watch{Table: "users", Label: "updated", On: rowsync.Updated},
		rowsync.Watch{Table: "users", Label: "deleted", On: rowsync.Deleted},
	)
	w.follow(rowsync.Label("deleted"), rowsync.Label("inserted"), rowsync.Label("updated"))
	const writers, rows = 4, 100
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range rows {
				id := 1000 + n*rows + i
				for _, sql := range []string{"insert into users (id, email) values ($1, '')", "update users set email = 'x' where id = $1", "delete from users where id = $1"} {
					if _, err := w.Exec(t.Context(), sql, id); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	steps := map[string]string{}
	for _, ev := range w.told() {
		steps[ev.Key()[0].Text] += ev.Label + " "
	}
	if len(steps) != writers*rows {
		t.Errorf("%d rows were told of, want %d", len(steps), writers*rows)
	}
	for row, told := range steps {
		if told != "inserted updated deleted " {
			t.Errorf("row %s: %s", row, told)
		}
	}
}

// TestFaultRowMoves: EctoWatch tells the followers of the new key and the new
// parent of a row, and those of the old ones nothing.
func TestFaultRowMoves(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}})
	const moved = "users update id=1 role_id=1 → id=10 role_id=2"
	users := rowsync.On[User](rowsync.Updated)
	var subs []*rowsync.Subscriber
	for _, target := range []rowsync.Target{users.Key(1), users.Key(10), users.Where("role_id", 1), users.Where("role_id", 2)} {
		sub := w.client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(target); err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	w.exec("update users set id = 10, role_id = 2 where id = 1")
	for _, sub := range subs {
		wantSaid(t, w.toldTo(sub), moved)
	}
}

// TestFaultNullForeignKey: to subscribe to a null foreign key with EctoWatch
// silently means all rows.
func TestFaultNullForeignKey(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}})
	w.follow(rowsync.On[User](rowsync.AnyOp).Where("role_id", nil))
	w.tells("update users set phone = 'x'", "users update id=3 role_id=null → id=3 role_id=null")
}

// TestFaultTriggerColumns: EctoWatch's trigger columns fire on SET title =
// title, and miss what a BEFORE trigger changes.
func TestFaultTriggerColumns(t *testing.T) {
	w := openWatch(t, `create table posts (id int primary key, title text, n numeric, other int);
		create function shout() returns trigger language plpgsql as $$ begin new.title := upper(new.title); return new; end $$;
		create trigger shout before update on posts for each row when (new.other = 1) execute function shout();
		insert into posts values (1, 'a', 1.5, 0), (2, null, 2, 0)`,
		rowsync.Watch{Table: "posts", Label: "title", TriggerColumns: []string{"title"}},
		rowsync.Watch{Table: "posts", Label: "n", TriggerColumns: []string{"n"}},
	)
	w.follow(rowsync.Label("title"), rowsync.Label("n"))
	w.tells("update posts set title = title")
	w.tells("update posts set n = 1.5 where id = 1")
	w.tells("update posts set n = 1.50 where id = 1")
	w.tells("update posts set other = 1", "title: posts update id=1 → id=1")
	w.tells("update posts set title = 'b' where id = 2", "title: posts update id=2 → id=2")
	w.tells("update posts set n = null where id = 1", "n: posts update id=1 → id=1")
}

// TestFaultNumeric: EctoWatch makes a numeric a float.
func TestFaultNumeric(t *testing.T) {
	w := openWatch(t, "create table sums (id numeric primary key, n numeric)", rowsync.Watch{Table: "sums", Label: "sums", ExtraColumns: []string{"n"}})
	const exact = "12345678901234567890.123456789"
	w.follow(rowsync.Label("sums").Key(exact))
	w.tells("insert into sums values (12345678901234567890.123456788, 1), ("+exact+", "+exact+")", "sums: sums insert id="+exact+" n="+exact)
}

// TestFaultSamePayload: PostgreSQL joins equal notifications of a transaction,
// so with EctoWatch two changes that look alike are one.
func TestFaultSamePayload(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}}, rowsync.Watch{Table: "users", Label: "labelled"})
	w.follow(rowsync.On[User](rowsync.AnyOp), rowsync.Label("labelled"))
	events := w.told("begin; update users set phone = 'x' where id = 1; update users set phone = 'x' where id = 1; commit")
	if len(events) != 4 {
		t.Fatalf("told %v, want two updates, each by two watchers", events)
	}
	if events[0].TxID != events[3].TxID || events[0].Position == events[3].Position {
		t.Errorf("the updates are not two of one transaction: %v", events)
	}
}

// TestFaultSubscribedTwice: who subscribes twice with EctoWatch gets two messages.
func TestFaultSubscribedTwice(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}})
	w.follow(rowsync.On[User](rowsync.AnyOp), rowsync.On[User](rowsync.AnyOp).Key(1))
	w.follow(rowsync.On[User](rowsync.AnyOp))
	w.tells("delete from users where id = 1", "users delete id=1")
}

// TestFaultCompositeKey: a composite key makes EctoWatch crash.
func TestFaultCompositeKey(t *testing.T) {
	w := openWatch(t, "create table seats (plane text, seat int, taken boolean default false, primary key (plane, seat))",
		rowsync.Watch{Table: "seats", Label: "seats"})
	w.follow(rowsync.Label("seats").Key("a,b", 1))
	w.tells("insert into seats values ('a,b', 1), ('a', 1), ('a,b', 2); update seats set seat = seat + 10",
		"seats: seats insert plane=a,b seat=1", "seats: seats update plane=a,b seat=1 → plane=a,b seat=11")
}

// TestFaultCleanup: the clean-up of EctoWatch drops its own live trigger when
// the label has capitals, and the triggers of other applications.
func TestFaultCleanup(t *testing.T) {
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL)), t}
	open := func(namespace string, log *book) *rowsync.Client {
		client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
			Watchers: []rowsync.Watcher{rowsync.Watch{Table: "users", Label: "Contact CHANGED", TriggerColumns: []string{"email"}}},
			Source:   pgtrigger.New(db.Pool, &pgtrigger.Options{Namespace: namespace, Cleanup: true, Logger: slog.New(log)}),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	open("Other", newBook(slog.LevelInfo)).Close()
	other, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.Watch{Table: "roles", Label: "left behind"}},
		Source:   pgtrigger.New(db.Pool, &pgtrigger.Options{Namespace: "One"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	log := newBook(slog.LevelInfo)
	client := open("One", log)
	log.await(t, "removed leftovers") // the clean-up has run
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.Label("Contact CHANGED")); err != nil {
		t.Fatal(err)
	}
	db.exec("update users set email = 'x' where id = 1")
	wantSaid(t, []rowsync.Event{next(t, sub)}, "Contact CHANGED: users update id=1 → id=1")
	var namespaces []string
	err = db.QueryRow(t.Context(), `select array_agg(distinct p.pronamespace::regnamespace::text) from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		where not t.tgisinternal`).Scan(&namespaces)
	if got := fmt.Sprint(namespaces); err != nil || got != `["One" "Other"]` {
		t.Errorf("triggers are left of the namespaces %s, %v", got, err)
	}
}

// TestFaultRollingDeploy: another version of a program with EctoWatch replaces
// the functions of the one that runs, which then loses events, until it is
// replaced back. Here two versions stand side by side.
func TestFaultRollingDeploy(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}, ExtraColumns: []string{"email"}})
	w.follow(rowsync.On[User](rowsync.Updated))
	var updates atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	writer.Go(func() {
		conn, err := pgx.Connect(t.Context(), w.Config().ConnString())
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for ctx.Err() == nil {
			if _, err := conn.Exec(t.Context(), "update users set email = $1::bigint::text where id = 1", updates.Load()+1); err != nil {
				t.Error(err)
				return
			}
			updates.Add(1)
		}
	})
	for _, extra := range [][]string{{"role_id"}, {"role_id", "phone"}, {"email", "nickName"}} {
		other, err := rowsync.Open(t.Context(), w.Pool, &rowsync.Options{Watchers: []rowsync.Watcher{
			rowsync.Watch{Model: User{}, ExtraColumns: extra},
		}})
		if err != nil {
			t.Fatal(err)
		}
		sub := other.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(rowsync.On[User](rowsync.Updated)); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if ev := next(t, sub); ev.Reset != nil || len(ev.Values()) != 1+len(extra) {
				t.Errorf("the new version was told %s with %v", ev, ev.Values())
			}
		}
		other.Close()
	}
	stop()
	writer.Wait()
	last := "ann@example.org"
	events := w.told()
	for i, ev := range events {
		was, _ := ev.OldValue("email")
		now, _ := ev.Value("email")
		if was.Text != last || now.Text != fmt.Sprint(i+1) {
			t.Fatalf("event %d of %d: %s → %s, want %s → %d", i, len(events), was, now, last, i+1)
		}
		last = now.Text
	}
	if int64(len(events)) != updates.Load() {
		t.Errorf("told of %d updates of %d", len(events), updates.Load())
	}
}
