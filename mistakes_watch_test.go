package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// MailOfUser is a second model of the table users.
type MailOfUser struct {
	_     struct{} `rowsync:"table=users"`
	ID    int64    `db:"id"`
	Email string   `db:"email"`
}

type UserProfile struct {
	_      struct{} `rowsync:"table=user_profiles"`
	UserID int64    `db:"user_id" rowsync:"key"`
	Bio    string   `db:"bio"`
}

// TestUnsubscribeLeavesOtherTargets: targets that come to the same rows of a
// table end one by one.
func TestUnsubscribeLeavesOtherTargets(t *testing.T) {
	const profiles = "create table user_profiles (user_id bigint primary key references users, bio text); insert into user_profiles values (1, 'x');"
	for name, c := range map[string]struct {
		ends, stays rowsync.Target
		sql         string
	}{
		"two models":    {rowsync.On[MailOfUser](rowsync.AnyOp), rowsync.On[User](rowsync.AnyOp), "update users set email = 'a' where id = 1"},
		"Key and Where": {rowsync.On[UserProfile](rowsync.Updated).Key(1), rowsync.On[UserProfile](rowsync.Updated).Where("user_id", 1), "update user_profiles set bio = 'b'"},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWatch(t, usersSQL+profiles, rowsync.Watch{Model: User{}}, rowsync.Watch{Model: MailOfUser{}}, rowsync.Watch{Model: UserProfile{}})
			w.follow(c.ends, c.stays)
			if err := w.sub.UnsubscribeFrom(c.ends); err != nil {
				t.Fatal(err)
			}
			if n := len(w.told(c.sql)); n != 1 {
				t.Errorf("what stays is told %d times", n)
			}
			if err := w.sub.UnsubscribeFrom(c.stays); err != nil {
				t.Fatal(err)
			}
			if n := len(w.told(c.sql)); n != 0 {
				t.Errorf("after all has ended, told %d times", n)
			}
		})
	}
}

// TestJoinedEventsKeepTheirPlace: an event of a value is not joined over one
// that SubscribeTo is told of, which would then come after what followed it.
func TestJoinedEventsKeepTheirPlace(t *testing.T) {
	all := rowsync.On[User](rowsync.AnyOp)
	for name, target := range map[string]rowsync.Target{"label": rowsync.Label("mail"), "apart": all} {
		t.Run(name, func(t *testing.T) {
			w := openUsers(t, rowsync.WatchModel[User](rowsync.Extra("email", "phone")), rowsync.Watch{
				Model: User{}, Label: "mail", On: rowsync.Updated, TriggerColumns: []string{"email"}, ExtraColumns: []string{"email", "phone"},
			})
			if _, err := w.sub.Subscribe(&User{ID: 1}); err != nil {
				t.Fatal(err)
			}
			heard := w.client.NewSubscriber(t.Context())
			update := func(email, phone int) {
				w.exec(fmt.Sprintf("update users set email = '%d', phone = '%d' where id = 1", email, phone))
				w.toldTo(heard) // so that the update has been routed
			}
			update(0, 1)
			w.follow(target)
			update(1, 2)
			if name == "apart" {
				if err := w.sub.UnsubscribeFrom(target); err != nil {
					t.Fatal(err)
				}
			}
			update(1, 3)
			w.follow(target)
			last := rowsync.Event{}
			for _, ev := range w.told() {
				if ev.Position.Seq < last.Position.Seq {
					t.Errorf("position %d after %d: %s", ev.Position.Seq, last.Position.Seq, say(ev))
				}
				last = ev
			}
			if v, _ := last.Value("phone"); v.Text != "3" {
				t.Errorf("the last event says phone=%s, want 3", v)
			}
		})
	}
}

// TestTriggerColumnsThatTravel: what counts as a change of a trigger column is
// the same whether its value travels or not.
func TestTriggerColumnsThatTravel(t *testing.T) {
	for _, extra := range [][]string{nil, {"c", "j", "n"}} {
		w := openWatch(t, `create extension citext; create table t (id int primary key, c citext, j jsonb, n numeric);
			insert into t values (1, 'abc', '{"n":12345678901234567890}', 1.0);`,
			rowsync.Watch{Table: "t", Label: "t", TriggerColumns: []string{"c", "j", "n"}, ExtraColumns: extra})
		w.follow(rowsync.Label("t"))
		for _, c := range []struct {
			sql  string
			want int
		}{{`c = 'ABC'`, 1}, {`j = '{"n":12345678901234567891}'`, 1}, {`n = 1.00`, 0}, {`n = 2`, 1}, {`c = c`, 0}} {
			if got := len(w.told("update t set " + c.sql)); got != c.want {
				t.Errorf("extra %v: set %s is told %d times, want %d", extra, c.sql, got, c.want)
			}
		}
	}
}

// TestEventKeyIsThatOfTheModel: in the model's order, as Key takes it.
func TestEventKeyIsThatOfTheModel(t *testing.T) {
	w := openWatch(t, "create table tenant_docs (id bigint, tenant bigint, name text, primary key (tenant, id));", rowsync.Watch{Model: TenantDoc{}})
	w.follow(rowsync.On[TenantDoc](rowsync.AnyOp))
	key := w.told("insert into tenant_docs values (1, 77, 'a')")[0].Key()
	sub := w.client.NewSubscriber(t.Context())
	if err := sub.SubscribeTo(rowsync.On[TenantDoc](rowsync.Updated).Key(key[0], key[1])); err != nil {
		t.Fatal(err)
	}
	if n := len(w.toldTo(sub, "update tenant_docs set name = 'b'")); n != 1 {
		t.Errorf("the row with the event's key %v is told %d times", key, n)
	}
}

type TenantDoc struct {
	_      struct{} `rowsync:"table=tenant_docs"`
	ID     int64    `db:"id" rowsync:"key"`
	Tenant int64    `db:"tenant" rowsync:"key"`
	Name   string   `db:"name"`
}

// TestValuesOfEventsAsTargets: what an event tells can be followed, null too;
// integers have one spelling, and absurd numerics are refused.
func TestValuesOfEventsAsTargets(t *testing.T) {
	w := openWatch(t, "create table codes (id int primary key, code text, n numeric);",
		rowsync.Watch{Table: "codes", Label: "codes", ExtraColumns: []string{"code", "n"}, AssociationColumns: []string{"code", "n"}})
	codes := rowsync.Label("codes")
	w.follow(codes)
	null, _ := w.told("insert into codes values (42, null, 1)")[0].Value("code")
	for _, target := range []rowsync.Target{codes.Where("code", null), codes.Key("042"), codes.Key("+42")} {
		sub := w.client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(target); err != nil {
			t.Fatal(err)
		}
		if n := len(w.toldTo(sub, "update codes set n = n + 1")); n != 1 {
			t.Errorf("%v is told %d times", target, n)
		}
		sub.Close()
	}
	for _, n := range []string{"1e-100000000000000000", "1e-99999999999", "1e1000000000"} {
		if err := w.sub.SubscribeTo(codes.Where("n", n)); err == nil {
			t.Errorf("%s is no numeric of PostgreSQL's, and no error says so", n)
		}
	}
}

// TestFieldsThatHideAColumn: a name for a column must not take another's.
func TestFieldsThatHideAColumn(t *testing.T) {
	hide := map[string]string{"email": "phone"}
	refused(t, usersSQL, []rowsync.Watcher{rowsync.Watch{Table: "users", Label: "u", Fields: hide}}, `watch "u" of users: option Fields maps "email" to another column, and there is a column "email" that would have no name of its own then: give that one a name in Fields too`)
	swap := map[string]string{"email": "phone", "phone": "email"}
	w := openUsers(t, rowsync.Watch{Table: "users", Label: "u", Fields: swap, ExtraColumns: []string{"email"}})
	w.follow(rowsync.Label("u"))
	w.tells("update users set phone = '1' where id = 1", "u: users update email=null id=1 → email=1 id=1")
}

// TestSQLWithoutPrivileges: printing needs no right to read the tables, which
// models with associations do not need then either.
func TestSQLWithoutPrivileges(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL+"drop role if exists rowsync_reviewer; create role rowsync_reviewer;"))
	weak := openPool(t.Context(), t, db.Config().ConnString()+"&options=-c%20role%3Drowsync_reviewer")
	opts := &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[User](rowsync.With("Role"))}}
	if _, err := rowsync.SQL(t.Context(), weak, opts); err != nil {
		t.Error(err)
	}
	if client, err := rowsync.Open(t.Context(), weak, opts); err == nil {
		client.Close()
		t.Error("a role that cannot read the tables opened a Client")
	}
}

// TestOddBroadcasts: what cannot be told by hand is refused, and the rest comes
// as the database would tell it.
func TestOddBroadcasts(t *testing.T) {
	w := openWatch(t, usersSQL, rowsync.Watch{Model: User{}, ExtraColumns: []string{"email"}})
	all := rowsync.On[User](rowsync.AnyOp)
	w.follow(all)
	for name, test := range map[string]struct {
		target        rowsync.Target
		before, after map[string]any
		want          string
	}{
		"nothing":            {all, nil, nil, "neither before nor after"},
		"one column twice":   {all, nil, map[string]any{"id": 1, "ID": 2}, `"ID" and "id" are the same column`},
		"no key":             {all, nil, map[string]any{"email": "x"}, `key column "id"`},
		"column not there":   {all, nil, map[string]any{"id": 1, "age": 2}, `column "age"`},
		"value that is none": {all, nil, map[string]any{"id": "x"}, `"x" is no bigint`},
		"rows named":         {all.Key(1), nil, map[string]any{"id": 1}, "leave out Key and Where"},
		"other operation":    {rowsync.On[User](rowsync.Deleted), nil, map[string]any{"id": 1}, "a row was inserted"},
	} {
		err := w.client.Broadcast(test.target, test.before, test.after)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantAll(t, err, test.want)
	}
}

// TestEndedCapture: whoever begins to follow after capture has ended by itself
// is told so, for nothing would reach him.
func TestEndedCapture(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, usersSQL))
	broken := errors.New("the cable is cut")
	source := &endingSource{end: make(chan error)}
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Source: source, Watchers: []rowsync.Watcher{rowsync.WatchModel[User]()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	early := client.NewSubscriber(t.Context())
	source.end <- broken
	<-client.Done()
	if ev := next(t, early); ev.Reset == nil || !errors.Is(ev.Reset.Err, broken) {
		t.Errorf("the early one was told %v", ev)
	}
	sub := client.NewSubscriber(t.Context())
	_, subscribeErr := sub.Subscribe(&User{ID: 1})
	_, queryErr := rowsync.Query[User](t.Context(), client, rowsync.Select{})
	for name, err := range map[string]error{
		"SubscribeTo": sub.SubscribeTo(rowsync.On[User](rowsync.Updated)), "Subscribe": subscribeErr, "Query": queryErr,
	} {
		if !errors.Is(err, rowsync.ErrEnded) || !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endingSource is a Source that ends with the error it is sent.
type endingSource struct{ end chan error }

func (s *endingSource) Run(ctx context.Context, _ []*rowsync.Table, sink rowsync.Sink) error {
	sink.Started()
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestDomainKeys: a key of a domain over a domain is that of the type below.
func TestDomainKeys(t *testing.T) {
	w := openWatch(t, `create domain amount as numeric; create domain price as amount;
		create table prices (id price primary key); insert into prices values (1.50);`,
		rowsync.Watch{Table: "prices", Label: "prices"})
	w.follow(rowsync.Label("prices").Key("1.5"))
	if n := len(w.told("delete from prices")); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}
