package rowsync_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync"
)

// TestA11Message: a message is the identifier, the key and the extra columns,
// old and new, with operation, origin and position, and never the whole row.
func TestA11Message(t *testing.T) {
	w := openUsers(t,
		rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}},
		rowsync.Watch{Table: "users", Label: "bare", TriggerColumns: []string{"email"}},
	)
	w.follow(rowsync.On[User](rowsync.AnyOp), rowsync.Label("bare"))
	events := w.told(`begin; select set_config('rowsync.origin', 'test', true);
		update users set id = 7, email = 'x', role_id = 2 where id = 1; commit`)
	if len(events) != 2 {
		t.Fatalf("told %v, want an update, with a label and without", events)
	}
	for _, ev := range events {
		if fmt.Sprint(ev.OldKey(), ev.Key()) != "[1] [7]" || ev.Op != rowsync.Updated || ev.Origin != "test" || ev.TxID == 0 ||
			time.Since(ev.At).Abs() > time.Hour || ev.Position.Seq == 0 || ev.Table.String() != "public.users" {
			t.Errorf("told %+v", ev)
		}
		if v, ok := ev.Value("email"); ok {
			t.Errorf("email, which nobody asked for, travels: %s", v)
		}
	}
	plain, bare := events[0], events[1]
	if plain.Label != "" {
		plain, bare = bare, plain
	}
	if got := say(plain); got != "users update id=1 role_id=1 → id=7 role_id=2" {
		t.Error(got)
	}
	if got := say(bare); got != "bare: users update id=1 → id=7" {
		t.Error(got)
	}
	for _, is := range []struct {
		ev     rowsync.Event
		target rowsync.Target
		want   bool
	}{
		{plain, rowsync.On[User](rowsync.Updated), true},
		{plain, rowsync.On[User](rowsync.AnyOp), true},
		{plain, rowsync.On[User](rowsync.Deleted), false},
		{plain, rowsync.On[User](rowsync.AnyOp).Key(1), true},
		{plain, rowsync.On[User](rowsync.AnyOp).Key(7), true},
		{plain, rowsync.On[User](rowsync.AnyOp).Key(2), false},
		{plain, rowsync.On[User](rowsync.AnyOp).Where("role_id", 1), true},
		{plain, rowsync.On[User](rowsync.AnyOp).Where("RoleID", 2), true},
		{plain, rowsync.On[User](rowsync.AnyOp).Where("role_id", nil), false},
		{plain, rowsync.Label("bare"), false},
		{plain, rowsync.Label("nobody"), false},
		{plain, rowsync.On[Post](rowsync.AnyOp), false},
		{bare, rowsync.Label("bare"), true},
		{bare, rowsync.On[User](rowsync.AnyOp), false},
		{rowsync.Event{}, rowsync.On[User](rowsync.AnyOp), false},
		{rowsync.Event{Reset: &rowsync.Reset{}}, rowsync.On[User](rowsync.AnyOp), false},
	} {
		if got := is.ev.Is(is.target); got != is.want {
			t.Errorf("%s Is(%s) = %v", is.ev, is.target, got)
		}
	}
}

// TestMessageOfInsertAndDelete: what there is not of a row is nil.
func TestMessageOfInsertAndDelete(t *testing.T) {
	w := openUsers(t, rowsync.Watch{Model: User{}, ExtraColumns: []string{"email"}})
	w.follow(rowsync.On[User](rowsync.AnyOp))
	events := w.told(`insert into users (email) values ('d')`, `delete from users where id = 4`)
	for i, want := range []string{
		"[] [4] map[] map[email:d id:4] scan email: insert public.users [4] carries no such row",
		"[4] [4] map[email:d id:4] map[email:d id:4] <nil>",
	} {
		ev := events[i]
		var email string
		if got := fmt.Sprint(ev.OldKey(), ev.Key(), ev.OldValues(), ev.Values(), ev.ScanOld("email", &email)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	reset := w.told(`truncate users`)
	if len(reset) != 1 || reset[0].Reset == nil || reset[0].Reset.Table.Name != "users" || reset[0].Key() != nil || reset[0].Values() != nil {
		t.Fatalf("told %v of a TRUNCATE, want a Reset of users", reset)
	}
}

const kindsSQL = `create type mood as enum ('fine', 'so so');
	create table kinds (id uuid primary key, n numeric, i int, f float8, b boolean, at timestamptz, day date, raw bytea, j jsonb,
		list text[], mood mood, span int4range, nothing text, huge bigint, gap interval);
	insert into kinds values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 12345678901234567890.123456789, -7, 0.1, true,
		'2024-02-03 04:05:06.789012+02', '2024-02-03', '\xdead', '{"a": [1, null]}', '{a,"b,c",NULL}', 'so so', '[1,5)', null, 9223372036854775807, '1 day 02:00');`

// TestMessageScan: what travels is read into whatever pgx reads its type into,
// exactly, and independently of the settings of the writer's session.
func TestMessageScan(t *testing.T) {
	columns := []string{"n", "i", "f", "b", "at", "day", "raw", "j", "list", "mood", "span", "nothing", "huge", "gap"}
	w := openWatch(t, kindsSQL, rowsync.Watch{Table: "kinds", Label: "kinds", ExtraColumns: columns})
	w.follow(rowsync.Label("kinds"))
	events := w.told(`set datestyle = 'German'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'iso_8601'; set bytea_output = 'escape'; set extra_float_digits = -3;
		update kinds set i = -8; reset all`)
	if len(events) != 1 {
		t.Fatal(events)
	}
	ev := events[0]
	var (
		id      [16]byte
		n       pgtype.Numeric
		i       int16
		f       float64
		b       bool
		at, day time.Time
		raw     []byte
		j       map[string]any
		list    []*string
		mood    string
		span    pgtype.Range[pgtype.Int4]
		nothing *string
		huge    int64
		gap     time.Duration
	)
	for column, dst := range map[string]any{"id": &id, "n": &n, "i": &i, "f": &f, "b": &b, "at": &at, "day": &day, "raw": &raw,
		"j": &j, "list": &list, "mood": &mood, "span": &span, "nothing": &nothing, "huge": &huge, "gap": &gap} {
		if err := ev.Scan(column, dst); err != nil {
			t.Errorf("%v", err)
		}
	}
	exact, _ := new(big.Int).SetString("12345678901234567890123456789", 10)
	if n.Int == nil || n.Int.Cmp(exact) != 0 || n.Exp != -9 {
		t.Errorf("numeric %v", n)
	}
	if v, _ := ev.Value("n"); v.Text != "12345678901234567890.123456789" {
		t.Errorf("numeric %s", v)
	}
	got := fmt.Sprintln(id[0], i, f, b, at.UTC(), day.Format(time.DateOnly), string(raw), j, *list[0], *list[1], list[2] == nil, mood,
		span.Lower.Int32, span.Upper.Int32, nothing == nil, huge, gap)
	const want = "160 -8 0.1 true 2024-02-03 02:05:06.789012 +0000 UTC 2024-02-03 \xde\xad map[a:[1 <nil>]] a b,c true so so 1 5 true 9223372036854775807 26h0m0s\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := ev.ScanOld("i", &i); err != nil || i != -7 {
		t.Errorf("before: %d, %v", i, err)
	}
	for column, dst := range map[string]any{"nothing": new(string), "i": new(bool), "mood": new(int), "huge": new(int32), "unknown": new(int)} {
		if err := ev.Scan(column, dst); err == nil {
			t.Errorf("Scan of %s into %T did not fail", column, dst)
		} else {
			wantAll(t, err, "scan "+column)
		}
	}
	wantLines(t, ev.Scan("unknown", &i), "", `scan unknown: no such column travels with "kinds": update public.kinds [a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11]; those that do: at, b, day, f, gap, huge, i, id, j, list, mood, n, nothing, raw, span: name it in ExtraColumns of the Watch`)
}
