package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
	"github.com/rowsync/rowsync/pgtrigger"
)

// detailed opens a Client on users with three watchers.
func detailed(t *testing.T) *watching {
	t.Helper()
	return openUsers(t,
		rowsync.Watch{Model: User{}, On: rowsync.Inserted | rowsync.Deleted, ExtraColumns: []string{"Nick", "RoleID"}},
		rowsync.Watch{Table: "users", Label: "contact", On: rowsync.Updated, TriggerColumns: []string{"email"}},
		rowsync.WatchModel[UserRole](),
	)
}

// TestA12Details: what is watched, and the function, triggers and channel that
// do it, as the database has them.
func TestA12Details(t *testing.T) {
	w := detailed(t)
	got, err := w.client.Watcher(rowsync.On[User](rowsync.Deleted).Key(1))
	if err != nil {
		t.Fatal(err)
	}
	var channelRung, called bool
	var triggers []string
	err = w.QueryRow(t.Context(), `
		select bool_and(p.prosrc like '%' || $2 || '%'), bool_and(p.oid = $1::regproc), array_agg(t.tgname::text order by t.tgname)
		from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		where t.tgrelid = 'users'::regclass and not t.tgisinternal`, got.Function, got.Channel).Scan(&channelRung, &called, &triggers)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(got.Triggers); !slices.Equal(got.Triggers, triggers) || !called || !channelRung || got.Channel == "" {
		t.Errorf("function %s (called: %v), triggers %q, channel %q (rung: %v); the database has the triggers %q",
			got.Function, called, got.Triggers, got.Channel, channelRung, triggers)
	}
	got.Function, got.Triggers, got.Channel = "", nil, ""
	want := rowsync.WatcherDetails{
		Model: "rowsync_test.User", On: rowsync.Inserted | rowsync.Deleted,
		Database: w.Config().ConnConfig.Database, Schema: "public", Table: "users",
		Key: []string{"id"}, ExtraColumns: []string{"nickName", "role_id"}, AssociationColumns: []string{"role_id"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	_, err = w.client.Watcher(rowsync.Label("gone"))
	wantLines(t, err, "find watcher: ", `no watcher has the label "gone"; the labels are: "mark", "contact"`)
}

// TestA13AllDetails: those of every watcher, also of the models on the way of a
// path.
func TestA13AllDetails(t *testing.T) {
	w := detailed(t)
	var got []string
	for _, d := range w.client.Watchers() {
		got = append(got, fmt.Sprintf("%s %s %s %v %s %v %v %v", d.Label, d.Model, d.Table, d.Key, d.On, d.ExtraColumns, d.TriggerColumns, d.AssociationColumns))
		if d.Function == "" || len(d.Triggers) == 0 || d.Channel == "" || d.Database == "" || d.Schema != "public" {
			t.Errorf("%+v is not complete", d)
		}
	}
	want := []string{
		"mark  marks [id] insert [] [] []",
		" rowsync_test.UserRole roles [id] insert|update|delete [] [] []",
		" rowsync_test.User users [id] insert|delete [nickName role_id] [] [role_id]",
		"contact  users [id] update [] [email] []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w = openUsers(t, rowsync.WatchModel[User](rowsync.With("Role")))
	if all := w.client.Watchers(); len(all) != 3 || all[1].Model != "rowsync_test.UserRole" || all[2].Model != "rowsync_test.User" {
		t.Errorf("watchers of a path: %+v", all)
	}
}

// serverOf is a pgtrigger.ServerInfo that makes the server out to be of another
// major version.
type serverOf int

func (s serverOf) Major(context.Context) (int, error)         { return int(s), nil }
func (s serverOf) MaxIdentifier(context.Context) (int, error) { return 63, nil }

// TestA15OldServer: PostgreSQL 13 has no CREATE OR REPLACE TRIGGER, and what is
// installed there does without; what is older is refused.
func TestA15OldServer(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL))
	on := func(major serverOf) *rowsync.Options {
		return &rowsync.Options{
			Watchers: []rowsync.Watcher{rowsync.Watch{Model: User{}}},
			Source:   pgtrigger.New(db, &pgtrigger.Options{Server: major}),
		}
	}
	script, err := rowsync.SQL(t.Context(), db, on(13))
	if err != nil || strings.Contains(strings.ToLower(script), "or replace trigger") {
		t.Errorf("%v; the script for PostgreSQL 13 is\n%s", err, script)
	}
	client, err := rowsync.Open(t.Context(), db, on(13))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub := client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[User](rowsync.Deleted)); err != nil {
		t.Fatal(err)
	}
	(&database{db, t}).exec("delete from users where id = 1")
	wantSaid(t, []rowsync.Event{next(t, sub)}, "users delete id=1")

	_, err = rowsync.Open(t.Context(), db, on(12))
	wantLines(t, err, "open rowsync: ", "pgtrigger: the server is PostgreSQL 12, which is too old: capture needs 13 or later")
}

// TestA18NoWatchers: an empty list of watchers is valid.
func TestA18NoWatchers(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL))
	for _, ws := range [][]rowsync.Watcher{nil, {}, {rowsync.Watchers{}}, {rowsync.Watchers(nil), rowsync.Watchers{rowsync.Watchers{}}}} {
		client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: ws})
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, client.NewSubscriber(t.Context()).SubscribeTo(rowsync.Label("x")), "subscribe: ", `no watcher has the label "x"; the labels are: none`)
		client.Close()
		if err := client.Err(); err != nil || len(client.Watchers()) != 0 {
			t.Errorf("%v, watchers %v", err, client.Watchers())
		}
	}
	wantNothingInstalled(t, &database{db, t})
}

func wantNothingInstalled(t *testing.T, db *database) {
	t.Helper()
	var installed bool
	err := db.QueryRow(t.Context(), `select exists (select from pg_namespace where nspname = 'rowsync')
		or exists (select from pg_trigger where not tgisinternal)`).Scan(&installed)
	if err != nil || installed {
		t.Errorf("something was installed (error: %v)", err)
	}
}

// TestA19InvalidOptions: every invalid option of every watcher gets an error of
// its own, all at once, before anything is installed.
func TestA19InvalidOptions(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL+"create view seen as select * from users; create table keyless (x int);"))
	_, err := rowsync.Open(t.Context(), db, &rowsync.Options{
		Buffer: -1,
		Watchers: []rowsync.Watcher{
			nil,
			rowsync.Watchers{rowsync.Watch{Label: "nothing"}, nil},
			rowsync.Watch{Model: 42, Label: "number"},
			rowsync.Watch{Model: User{}, Schema: "public", AssociationColumns: []string{"id"}, Fields: map[string]string{"a": "b"}, Label: "twice"},
			rowsync.Watch{Model: User{}, On: rowsync.Truncated, Label: "truncated"},
			rowsync.Watch{Table: "users", On: rowsync.Deleted, TriggerColumns: []string{"email", "age"}, ExtraColumns: []string{"size"}},
			rowsync.Watch{Table: "seen", Label: "view"},
			rowsync.Watch{Table: "keyless", Label: "keyless"},
			rowsync.Watch{Table: "gone", Label: "gone"},
			rowsync.WatchModel[User](rowsync.With("Boss")),
		},
	})
	const columns = "and table public.users has no such column; it has: id, email, phone, nickName, role_id"
	want := []string{
		"option Buffer is -1: it must be at least 1, or 0 for 4096",
		"watcher is nil: give a rowsync.Watch or what rowsync.WatchModel returns",
		`watch "nothing": neither Model nor Table is set: set Model to a value of a struct type, or Table and Label`,
		"watcher is nil: give a rowsync.Watch or what rowsync.WatchModel returns",
		`watch "number" of int: model int: int is no model: give a struct type, or a pointer or slice of one`,
		`watch "twice" of rowsync_test.User: option Schema is set beside Model, which says it already: leave one of the two out`,
		`watch "twice" of rowsync_test.User: option AssociationColumns is set beside Model, which says it already: leave one of the two out`,
		`watch "twice" of rowsync_test.User: option Fields is set beside Model, which says it already: leave one of the two out`,
		`watch "truncated" of rowsync_test.User for truncate: option On is "truncate": name Inserted, Updated, Deleted or several of them`,
		`watch of users for delete: option Label is missing: a table without a model is subscribed to by label`,
		`watch of users for delete: option TriggerColumns goes with updates only, and On is "delete": set On to Updated, and watch the rest apart`,
		`watch of users for delete: option Label is missing: a watcher with TriggerColumns needs one, for its model and operation name the watcher of every update`,
		`model User: no association "Boss": name one of its associations: Role`,
		`table public.gone does not exist (watch "gone" of gone): create it, or name the right one`,
		`watch "keyless" of keyless: table public.keyless has no primary key: name the columns that identify a row in Key, or add one (alter table public.keyless add primary key …)`,
		`public.seen is a view: watch the tables that it reads`,
		`watch "twice" of rowsync_test.User: option Fields maps "a" to "b", ` + columns,
		`watch of users for delete: option TriggerColumns names "age", ` + columns,
		`watch of users for delete: option ExtraColumns names "size", ` + columns,
	}
	wantLines(t, err, "open rowsync: ", want...)
	wantNothingInstalled(t, &database{db, t})
}

// TestA20Suppressed: a session with session_replication_role = replica fires no
// triggers, so its changes are not told.
func TestA20Suppressed(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}})
	w.follow(rowsync.On[User](rowsync.AnyOp))
	w.tells(`begin; set local session_replication_role = replica; update users set phone = 'x'; delete from users where id = 3; commit`)
	w.tells(`update users set phone = 'y' where id = 2`, "users update id=2 → id=2")
}

// TestA21Broadcast: a change that is told by hand reaches those who follow the
// row, as one of the database would.
func TestA21Broadcast(t *testing.T) {
	w := openUsers(t,
		rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}},
		rowsync.Watch{Table: "users", Label: "mail", On: rowsync.Updated, TriggerColumns: []string{"email"}, ExtraColumns: []string{"email"}},
	)
	users, mail := rowsync.On[User](rowsync.AnyOp), rowsync.Label("mail")
	w.follow(users.Where("role_id", 1), users.Key(8), mail)
	type row = map[string]any
	for _, b := range []struct {
		target        rowsync.Target
		before, after row
	}{
		{users, nil, row{"ID": 7, "RoleID": 1}},
		{users, nil, row{"id": "7"}},
		{users, row{"id": 7, "role_id": 1}, row{"id": 7, "role_id": nil}},
		{users, row{"id": 8}, row{"id": int8(9)}},
		{users, row{"id": 7}, nil},
		{users, row{"id": 8}, nil},
		{mail, row{"id": 7, "email": "x"}, row{"id": 7, "email": "x"}},
		{mail, row{"id": 7, "email": "x"}, row{"id": 7, "email": "y"}},
	} {
		if err := w.client.Broadcast(b.target, b.before, b.after); err != nil {
			t.Error(err)
		}
	}
	wantSaid(t, w.told(),
		"users insert id=7 role_id=1", "users update id=7 role_id=1 → id=7 role_id=null",
		"users update id=8 role_id=null → id=9 role_id=null", "users delete id=8 role_id=null",
		"mail: users update email=x id=7 → email=y id=7")

	for _, wrong := range []struct {
		target        rowsync.Target
		before, after row
		want          []string
	}{
		{users, nil, nil, []string{"neither before nor after is given: an insert has an after, a deletion a before, an update both"}},
		{users.Only(rowsync.Updated), nil, row{"id": 1}, []string{"before and after say that a row was inserted, and target (User, updated) is about updated rows"}},
		{users.Key(1), nil, row{"id": 1}, []string{"target (User, inserted|updated|deleted) with key [1] names rows: leave out Key and Where, the values say which row it is"}},
		{users, row{"size": 1}, row{"id": "x", "role_id": 1}, []string{
			`column "size" is not among those that are captured of model User (public.users): id, email, role_id`,
			`value of column id of model User (public.users): "x" is no bigint: strconv.ParseInt: parsing "x": invalid syntax`,
		}},
		{users, row{"id": 1}, row{"role_id": 1}, []string{`key column "id" of model User (public.users) is missing or null`}},
		{rowsync.Label("gone"), nil, row{"id": 1}, []string{`no watcher has the label "gone"; the labels are: "mark", "mail"`}},
	} {
		wantLines(t, w.client.Broadcast(wrong.target, wrong.before, wrong.after), "broadcast: ", wrong.want...)
	}
	w.tells("")
	w.client.Close()
	if err := w.client.Broadcast(users, nil, row{"id": 1}); !errors.Is(err, rowsync.ErrClosed) {
		t.Errorf("Broadcast of a closed Client: %v", err)
	}
}
