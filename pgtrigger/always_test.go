package pgtrigger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/pgtemp"
)

// With Always a session that is a replica is captured too, whatever the kind of
// table; without it, it is not.
func TestAlways(t *testing.T) {
	const replica = "set session_replication_role = replica; "
	for _, always := range []bool{false, true} {
		t.Run(fmt.Sprint(always), func(t *testing.T) {
			p := watching(t, postsSQL+eventsSQL+placesSQL, Options{Always: always, SafetyPoll: 20 * time.Millisecond}, posts(), events(), table("places"))
			p.expect("delete from posts where id = 1", "delete posts (1,1)→∅")
			want := func(changes ...string) []string {
				if always {
					return changes
				}
				return nil
			}
			p.expect(replica+"delete from posts where id = 2; reset session_replication_role", want("delete posts (2,2)→∅")...)
			p.expect(replica+"insert into events values (1, 1, 1, ''); update events set region = 2 where id = 1; truncate events_1; reset session_replication_role",
				want("insert events ∅→(1,1)", "update events (1,1)→(1,2)", "truncate events ∅→∅")...)
			p.expect(replica+"insert into towns values (1, '', ''); truncate places; reset session_replication_role",
				want("insert places ∅→(1)", "truncate places ∅→∅")...)
			p.w.do("create table events_3 partition of events for values in (3); create table lakes () inherits (places)")
			p.awaitReset("events", "places")
			p.expect(replica+"insert into events values (1, 3, 1, ''); truncate events_3; insert into lakes values (3); reset session_replication_role",
				want("insert events ∅→(1,3)", "truncate events ∅→∅", "insert places ∅→(3)")...)
		})
	}
}

// A trigger that does not fire always any more is mended.
func TestAlwaysMended(t *testing.T) {
	p := watching(t, eventsSQL, Options{Always: true, SafetyPoll: 20 * time.Millisecond}, events())
	p.w.do(`do $$ declare t text; begin
		for t in select tgname from pg_trigger where tgrelid = 'events_2_a'::regclass and tgname like 'rowsync%' loop
			execute format('alter table events_2_a enable trigger %I', t); end loop; end $$`)
	p.awaitReset("events")
	p.expect("set session_replication_role = replica; insert into events values (1, 2, 1, ''); reset session_replication_role", "insert events ∅→(1,2)")
}

// What logical replication applies is captured with Always: its first copy, what
// it streams, and TRUNCATE.
func TestLogicalReplication(t *testing.T) {
	server, err := pgtemp.Start(t.Context(), &pgtemp.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	const setup = "create table items (id int primary key, v text); create table parted (id int primary key, v text) partition by range (id); create table part partition of parted for values from (0) to (1000);"
	from := connect(t, server.Database(t, setup))
	to := server.Database(t, setup+"create table marks (id int primary key)")
	from.do("insert into items values (1, 'a'), (2, 'b'); create publication p for table items, part")
	// Made here, for CREATE SUBSCRIPTION would wait for its own transaction to end.
	from.do("select pg_create_logical_replication_slot('s', 'pgoutput')")

	p := &probe{node: start(t, to, Options{Always: true}, table("items", "v"), table("parted", "v"), marks()), w: connect(t, to), url: to}
	p.w.do(fmt.Sprintf("create subscription s connection %s publication p with (create_slot = false, slot_name = 's')", literal(keywords(t, from.Conn))))
	p.awaitChanges(2)
	for deadline := time.Now().Add(patience); p.w.one("select count(*) from pg_subscription_rel where srsubstate <> 'r'") != "0"; {
		if time.Now().After(deadline) {
			t.Fatal("the first copy did not end")
		}
	}
	p.awaitAsleep()
	from.do("insert into items values (3, 'c'); update items set v = 'd' where id = 1; delete from items where id = 2; update items set id = 30 where id = 3")
	p.awaitChanges(6)
	from.do("insert into part values (1, 'x'); update part set v = 'y'")
	p.awaitChanges(8)
	from.do("truncate items")
	p.awaitChanges(9)
	p.expect("alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s",
		"insert items ∅→(1,a)", "insert items ∅→(2,b)", "insert items ∅→(3,c)", "update items (1,a)→(1,d)", "delete items (2,b)→∅", "update items (3,c)→(30,c)",
		"insert parted ∅→(1,x)", "update parted (1,x)→(1,y)", "truncate items ∅→∅")
	from.do("select pg_drop_replication_slot('s') from pg_replication_slots where not active")
}

// keywords is the connection string of a session, as libpq reads it.
func keywords(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	c := conn.Config()
	var database string
	if err := conn.QueryRow(context.Background(), "select current_database()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("host=%s port=%d user=%s dbname=%s", c.Host, c.Port, c.User, database))
}
