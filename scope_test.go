package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// Cabin is a row of one tenant.
type Cabin struct {
	ID      int64    `db:"id"`
	Tenant  int64    `db:"tenant"`
	Name    string   `db:"name"`
	Letters []Letter `db:"-"`
}

type Letter struct {
	ID      int64  `db:"id"`
	CabinID int64  `db:"cabin_id"`
	Tenant  int64  `db:"tenant"`
	Body    string `db:"body"`
}

// tenants is a database in which each tenant sees its own rows.
type tenants struct {
	*database
	client *rowsync.Client
	role   string
}

func openTenants(t *testing.T) *tenants {
	t.Helper()
	_, db := openWorld(t.Context(), t)
	db.exec(`create table cabins (id bigint primary key, tenant bigint not null, name text not null);
		create table letters (id bigint primary key, cabin_id bigint not null, tenant bigint not null, body text not null);
		create table members (tenant bigint not null, cabin_id bigint not null);
		insert into cabins values (1, 1, 'one'), (2, 2, 'two'), (3, 1, 'three');
		insert into letters values (1, 1, 1, 'a'), (2, 1, 2, 'b'), (3, 2, 2, 'c')`)
	s := &tenants{database: db, role: addRole(t.Context(), t, db.Pool)}
	for _, table := range []string{"cabins", "letters"} {
		db.exec(fmt.Sprintf(`alter table %[1]s enable row level security;
			create policy own on %[1]s to %[2]s using (tenant = current_setting('app.tenant')::bigint)`, table, s.role))
	}
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{Watchers: []rowsync.Watcher{
		rowsync.WatchModel[Cabin](rowsync.With("Letters"), rowsync.Extra("name", "tenant")),
		rowsync.Watch{Table: "members", Label: "members", Key: []string{"tenant", "cabin_id"}, On: rowsync.AnyOp},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.client = client
	return s
}

// scope is that of a tenant.
func (s *tenants) scope(tenant int) rowsync.Scope {
	return rowsync.Scope{Name: fmt.Sprintf("tenant %d", tenant), Enter: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf("set local role %s; set local app.tenant = '%d'", s.role, tenant))
		return err
	}}
}

// atRest fails if an idle connection of the pool does not have the
// settings of the pool.
func (s *tenants) atRest(t *testing.T) {
	t.Helper()
	for _, conn := range s.AcquireAllIdle(t.Context()) {
		var role, tenant string
		if err := conn.QueryRow(t.Context(), "select current_user, coalesce(current_setting('app.tenant', true), '')").Scan(&role, &tenant); err != nil {
			t.Error(err)
		}
		if role == s.role || tenant != "" {
			t.Errorf("a connection came back with role %s and tenant %q", role, tenant)
		}
		conn.Release()
	}
}

func cabinNames(cabins []*Cabin) string {
	var b strings.Builder
	for _, a := range cabins {
		b.WriteString(a.Name)
		for _, n := range a.Letters {
			b.WriteString(" " + n.Body)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// TestScopeSetting: each tenant's Live holds the rows that its policy shows it,
// also while rows pass from one to the other, and unscoped ones hold all.
func TestScopeSetting(t *testing.T) {
	s := openTenants(t)
	open := func(opts ...rowsync.LiveOption) *rowsync.Live[[]*Cabin] {
		t.Helper()
		l, err := rowsync.Query[Cabin](t.Context(), s.client, rowsync.Select{With: []string{"Letters"}}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	}
	one, two, all := open(rowsync.InScope(s.scope(1))), open(rowsync.InScope(s.scope(2))), open()
	shows := func(first, second, third string) {
		t.Helper()
		for l, wanted := range map[*rowsync.Live[[]*Cabin]]string{one: first, two: second, all: third} {
			await(t, l, func(cabins []*Cabin, _ error) bool { return cabinNames(cabins) == wanted })
		}
	}
	shows("one a; three; ", "two c; ", "one a b; two c; three; ")
	s.exec("update cabins set name = 'uno' where id = 1")
	s.exec("update cabins set tenant = 2 where id = 3")
	shows("uno a; ", "two c; three; ", "uno a b; two c; three; ")
	s.exec("update letters set tenant = 1 where id = 2; update cabins set tenant = 1 where id = 2")
	shows("uno a b; two; ", "three; ", "uno a b; two c; three; ")
	s.exec("update cabins set tenant = 2; update letters set tenant = 2")
	shows("", "uno a b; two c; three; ", "uno a b; two c; three; ")
	s.exec("delete from cabins where id = 1")
	s.exec("insert into cabins values (4, 1, 'four'); insert into letters values (4, 4, 1, 'd')")
	shows("four d; ", "two c; three; ", "two c; three; four d; ")
	s.atRest(t)
}

// TestScopeCache: what is read in one scope is read once for all in it, and
// never for those in another.
func TestScopeCache(t *testing.T) {
	s := openTenants(t)
	var subs []*rowsync.Subscriber
	for _, tenant := range []int{1, 1, 2, 0} {
		opts := []rowsync.SubscriberOption{}
		if tenant > 0 {
			opts = append(opts, rowsync.InScope(s.scope(tenant)))
		}
		subs = append(subs, s.client.NewSubscriber(t.Context(), opts...))
	}
	everyone := s.client.NewSubscriber(t.Context())
	if err := everyone.SubscribeTo(rowsync.On[Cabin](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	s.exec("update cabins set name = 'uno' where id = 1")
	ev := next(t, everyone)
	for range 2 {
		for i, visible := range []bool{true, true, false, true} {
			cabin, err := rowsync.Get[Cabin](t.Context(), subs[i], ev)
			if err != nil {
				t.Fatal(err)
			}
			if (cabin != nil) != visible {
				t.Errorf("subscriber %d gets %s", i, show(cabin))
			}
		}
	}
	before := s.client.Stats().Statements
	s.exec("update cabins set name = 'eins' where id = 1")
	ev = next(t, everyone)
	for _, sub := range subs {
		if _, err := rowsync.Get[Cabin](t.Context(), sub, ev); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.client.Stats().Statements - before; n != 3 {
		t.Errorf("one row was read with %d statements in two scopes and outside, want 3", n)
	}
	s.atRest(t)
}

// TestScopeEnterFails: a scope that cannot be entered is an error of the load;
// nothing is kept of it, and the connection is given back.
func TestScopeEnterFails(t *testing.T) {
	s := openTenants(t)
	var down atomic.Bool
	down.Store(true)
	broken := errors.New("no such tenant")
	scope := s.scope(1)
	enter := scope.Enter
	scope.Enter = func(ctx context.Context, tx pgx.Tx) error {
		if err := enter(ctx, tx); err != nil || !down.Load() {
			return err
		}
		return broken
	}
	everyone, sub := s.client.NewSubscriber(t.Context()), s.client.NewSubscriber(t.Context(), rowsync.InScope(scope))
	if err := everyone.SubscribeTo(rowsync.On[Cabin](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	s.exec("update cabins set name = 'uno' where id = 1")
	ev := next(t, everyone)
	if _, err := rowsync.Get[Cabin](t.Context(), sub, ev); !errors.Is(err, broken) {
		t.Errorf("Get: %v", err)
	}
	if _, err := rowsync.Query[Cabin](t.Context(), s.client, rowsync.Select{}, rowsync.InScope(scope)); !errors.Is(err, broken) {
		t.Errorf("Query: %v", err)
	}
	if err := scope.Read(t.Context(), s.Pool, func(pgx.Tx) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("Read: %v", err)
	}
	s.atRest(t)
	down.Store(false)
	if cabin, err := rowsync.Get[Cabin](t.Context(), sub, ev); err != nil || cabin == nil {
		t.Errorf("Get when it can be entered: %s, %v", show(cabin), err)
	}
}

// TestScopeSessionSettings: what Enter sets for the session, by mistake, does not
// stay on the connection.
func TestScopeSessionSettings(t *testing.T) {
	s := openTenants(t)
	careless := rowsync.Scope{Name: "careless", Enter: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf("set role %s; set app.tenant = '1'", s.role))
		return err
	}}
	cabins, err := rowsync.LoadAll[Cabin](t.Context(), s.client, rowsync.Select{With: []string{"Letters"}}, rowsync.InScope(careless))
	if err != nil {
		t.Fatal(err)
	}
	if got := cabinNames(cabins); got != "one a; three; " {
		t.Errorf("loaded %q", got)
	}
	s.atRest(t)
}

// TestScopeRead: a load function reads in the scope by Scope.Read, and cannot
// write there.
func TestScopeRead(t *testing.T) {
	s := openTenants(t)
	scope := s.scope(1)
	load := func(ctx context.Context) (cabins []*Cabin, err error) {
		err = scope.Read(ctx, s.Pool, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, "select * from cabins order by id")
			if err == nil {
				cabins, err = pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Cabin])
			}
			return err
		})
		return cabins, err
	}
	live, err := rowsync.Follow(t.Context(), s.client, load, rowsync.InScope(scope))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if got := cabinNames(live.Value()); got != "one; three; " {
		t.Errorf("loaded %q", got)
	}
	s.exec("update cabins set tenant = 3 - tenant")
	await(t, live, func(cabins []*Cabin, _ error) bool { return cabinNames(cabins) == "two; " })
	err = scope.Read(t.Context(), s.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "insert into cabins values (9, 9, 'nine')")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("write in Read: %v", err)
	}
	s.atRest(t)
}

// TestScopeEvents: an event is told if its row can be seen in the scope; of the
// row before a change, and of a deletion, only the key.
func TestScopeEvents(t *testing.T) {
	s := openTenants(t)
	sub := s.client.NewSubscriber(t.Context(), rowsync.InScope(s.scope(1)))
	if err := sub.SubscribeTo(rowsync.On[Cabin](rowsync.AnyOp), rowsync.Label("members")); err != nil {
		t.Fatal(err)
	}
	say := func(ev rowsync.Event) string {
		now, _ := ev.Value("name")
		was, _ := ev.OldValue("name")
		return fmt.Sprintf("%s %v %s %s", ev.Op, ev.Key(), was, now)
	}
	for _, step := range []struct{ sql, told string }{
		{"update cabins set name = 'uno' where id = 1", "update [1] null uno"},
		{"insert into cabins values (5, 2, 'five'), (6, 1, 'six')", "insert [6]  six"},
		{"update cabins set name = 'dos' where id = 2; insert into members values (1, 1); update cabins set name = 'tres' where id = 3", "update [3] null tres"},
		{"delete from cabins where id = 2", "delete [2] null null"},
	} {
		s.exec(step.sql)
		if got := say(next(t, sub)); got != step.told {
			t.Errorf("after %s: told %q, want %q", step.sql, got, step.told)
		}
	}
	asked := s.client.NewSubscriber(t.Context(), rowsync.InScope(s.scope(1)), rowsync.Authorize(func(_ context.Context, a rowsync.Access) (bool, error) {
		return a.Model == nil && a.Row == nil && a.Event.Label == "members", nil
	}))
	if err := asked.SubscribeTo(rowsync.On[Cabin](rowsync.AnyOp), rowsync.Label("members")); err != nil {
		t.Fatal(err)
	}
	s.exec("update cabins set name = 'one' where id = 1; insert into members values (1, 3)")
	if ev := next(t, asked); ev.Label != "members" {
		t.Errorf("told %s, want the event that the function lets be told", ev)
	}
}

// TestScopeComesBack: a row that a value held by hand lost, because it could not
// be seen in the scope, comes back; a deleted one does not.
func TestScopeComesBack(t *testing.T) {
	s := openTenants(t)
	option := rowsync.InScope(s.scope(1))
	sub := s.client.NewSubscriber(t.Context(), option)
	cabins, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Cabin, error) {
		return rowsync.LoadAll[Cabin](ctx, s.client, rowsync.Select{}, rowsync.With("Letters"), option)
	}, rowsync.With("Letters"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ sql, held string }{
		{"update cabins set tenant = 2 where id = 1", "three; "},
		{"update cabins set tenant = 1 where id = 1", "three; one a; "},
		{"update cabins set tenant = 2 where id = 1", "three; "},
		{"delete from cabins where id = 1", "three; "},
		{"insert into letters values (5, 3, 1, 'e')", "three e; "},
	} {
		s.exec(step.sql)
		if cabins = synced(t, sub, cabins, 1); cabinNames(cabins) != step.held {
			t.Errorf("after %s: %q, want %q", step.sql, cabinNames(cabins), step.held)
		}
	}
}

// TestScopeInvalid: a Scope without a name or without Enter is an error of what
// would read in it.
func TestScopeInvalid(t *testing.T) {
	s := openTenants(t)
	for _, test := range []struct {
		scope rowsync.Scope
		says  string
	}{{rowsync.Scope{Enter: s.scope(1).Enter}, "no Name"}, {rowsync.Scope{Name: "nobody"}, "no Enter"}} {
		option := rowsync.InScope(test.scope)
		load := func(context.Context) ([]*Cabin, error) { return nil, nil }
		_, err := rowsync.Query[Cabin](t.Context(), s.client, rowsync.Select{}, option)
		_, followErr := rowsync.Follow(t.Context(), s.client, load, option)
		_, loadErr := rowsync.Load(t.Context(), s.client.NewSubscriber(t.Context(), option), load)
		_, allErr := rowsync.LoadAll[Cabin](t.Context(), s.client, rowsync.Select{}, option)
		readErr := test.scope.Read(t.Context(), s.Pool, func(pgx.Tx) error { return nil })
		for name, err := range map[string]error{"Query": err, "Follow": followErr, "Load": loadErr, "LoadAll": allErr, "Read": readErr} {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v, want an error that says %q", name, err, test.says)
			}
		}
	}
}

// TestScopeOtherTables: a policy that reads another table changes without the
// row; after a Reset nothing is used that was read before.
func TestScopeOtherTables(t *testing.T) {
	s := openTenants(t)
	s.exec(fmt.Sprintf(`create policy member on cabins to %s using
		(exists (select from members m where m.cabin_id = cabins.id and m.tenant = current_setting('app.tenant')::bigint))`, s.role))
	live, err := rowsync.Query[Cabin](t.Context(), s.client, rowsync.Select{}, rowsync.InScope(s.scope(1)))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	await(t, live, func(cabins []*Cabin, _ error) bool { return cabinNames(cabins) == "one; three; " })
	s.exec("insert into members values (1, 2)")
	live.Reset("a new member")
	await(t, live, func(cabins []*Cabin, _ error) bool { return cabinNames(cabins) == "one; two; three; " })
	s.exec("update cabins set name = 'dos' where id = 2")
	await(t, live, func(cabins []*Cabin, _ error) bool { return cabinNames(cabins) == "one; dos; three; " })
}
