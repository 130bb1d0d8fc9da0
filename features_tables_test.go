package rowsync_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// TestA06TableWithoutModel: schema (by default public), table, key (by default
// the primary key), columns, association columns, and names of the program's
// own for columns.
func TestA06TableWithoutModel(t *testing.T) {
	const tables = usersSQL + `
		create schema app;
		create table app.visits (id int primary key, page text not null, visitor bigint, unique (page, visitor));
		create table plain (a int, b text, owner int);`
	w := openWatch(t, tables,
		rowsync.Watch{Table: "users", Label: "defaults", ExtraColumns: []string{"role_id"}},
		rowsync.Watch{
			Schema: "app", Table: "visits", Label: "visits", Key: []string{"page", "Visitor"},
			AssociationColumns: []string{"Visitor"}, ExtraColumns: []string{"Number"},
			Fields: map[string]string{"Visitor": "visitor", "Number": "id"},
		},
		rowsync.Watch{Table: "plain", Label: "plain", Key: []string{"a", "b"}, ExtraColumns: []string{"owner"}, AssociationColumns: []string{"owner"}},
	)
	w.follow(
		rowsync.Label("defaults").Where("role_id", 1),
		rowsync.Label("visits").Where("Visitor", 7),
		rowsync.Label("visits").Key("home", 8),
		rowsync.Label("plain").Where("owner", 5),
	)
	w.tells(`update users set phone = '1' where id in (1, 2)`, "defaults: users update id=1 role_id=1 → id=1 role_id=1")
	w.tells(`insert into app.visits values (1, 'home', 7), (2, 'home', 8), (3, 'home', 9), (4, 'about', 8)`,
		"visits: visits insert Number=1 Visitor=7 page=home", "visits: visits insert Number=2 Visitor=8 page=home")
	w.tells(`update app.visits set id = 20 where id = 2`,
		"visits: visits update Number=2 Visitor=8 page=home → Number=20 Visitor=8 page=home")
	w.tells(`insert into plain values (1, 'x', 5), (1, 'y', 6); delete from plain`,
		"plain: plain insert a=1 b=x owner=5", "plain: plain delete a=1 b=x owner=5")

	refused(t, tables, []rowsync.Watcher{
		rowsync.Watch{},
		rowsync.Watch{Schema: "app", Table: "vists", Label: "gone"},
		rowsync.Watch{Table: "plain", Label: "keyless"},
		rowsync.Watch{Model: User{}, Table: "users", Key: []string{"id"}},
		rowsync.Watch{Schema: "app", Table: "visits", Label: "wrong", Key: []string{"uid"}, AssociationColumns: []string{"owner"}, Fields: map[string]string{"Page": "pages", "Gone": ""}},
	},
		`watch without fields: neither Model nor Table is set: set Model to a value of a struct type, or Table and Label`,
		`watch of rowsync_test.User: option Table is set beside Model, which says it already: leave one of the two out`,
		`watch of rowsync_test.User: option Key is set beside Model, which says it already: leave one of the two out`,
		`watch "wrong" of app.visits: option Fields maps "Gone" to "": both need a name`,
		`watch "wrong" of app.visits: option Fields maps "Page" to "pages", and table app.visits has no such column; it has: id, page, visitor`,
		`watch "wrong" of app.visits: option Key names "uid", and table app.visits has no such column; it has: id, page, visitor`,
		`watch "wrong" of app.visits: option AssociationColumns names "owner", and table app.visits has no such column; it has: id, page, visitor`,
		`table app.vists does not exist (watch "gone" of app.vists): create it, or name the right one`,
		`watch "keyless" of plain: table public.plain has no primary key: name the columns that identify a row in Key, or add one (alter table public.plain add primary key …)`)
}

type quotedUser struct {
	_        struct{} `rowsync:"table=\"0xabcd\".\"userAccounts\""`
	UserID   int64    `db:"userId" rowsync:"key"`
	Nickname string   `db:"say \"hi\""`
	Boss     *int64   `db:"the.Boss"`
}

// TestA07Names: names that need quoting, of schemas, tables and columns, and
// columns whose name in Go is another.
func TestA07Names(t *testing.T) {
	const tables = `create schema "0xabcd";
		create table "0xabcd"."userAccounts" ("userId" bigint primary key, "say ""hi""" text, "the.Boss" bigint references "0xabcd"."userAccounts");
		create table "o'Brien; drop" ("KEY" text, "Größe ✓" int, "percent % $1 ?" int, primary key ("KEY", "Größe ✓"));`
	w := openWatch(t, tables,
		rowsync.Watch{Model: quotedUser{}, ExtraColumns: []string{"Nickname", "Boss"}},
		rowsync.Watch{
			Table: "o'Brien; drop", Label: "it's \"odd\" ✓", On: rowsync.Updated,
			TriggerColumns: []string{"percent % $1 ?"}, ExtraColumns: []string{"percent % $1 ?"},
			Fields: map[string]string{"size": "Größe ✓"},
		},
	)
	w.follow(rowsync.On[quotedUser](rowsync.AnyOp).Where("Boss", 1), rowsync.Label("it's \"odd\" ✓").Key("it's", 4))
	w.tells(`insert into "0xabcd"."userAccounts" values (1, 'ann', null), (2, 'bob', 1)`,
		`userAccounts insert say "hi"=bob the.Boss=1 userId=2`)
	w.tells(`update "0xabcd"."userAccounts" set "say ""hi""" = 'x', "the.Boss" = null`,
		`userAccounts update say "hi"=bob the.Boss=1 userId=2 → say "hi"=x the.Boss=null userId=2`)
	w.tells(`insert into "o'Brien; drop" values ('it''s', 4, 1); update "o'Brien; drop" set "percent % $1 ?" = 2`,
		`it's "odd" ✓: o'Brien; drop update KEY=it's percent % $1 ?=1 size=4 → KEY=it's percent % $1 ?=2 size=4`)
}

// TestA08PrimaryKeys: a key of any name and type, and of several columns. Each
// is followed by Go values that are written in another way than the database's.
func TestA08PrimaryKeys(t *testing.T) {
	tests := map[string]struct {
		table string // columns of table things
		row   string // SQL of the key of the row that is followed
		other string // … and of one that is not
		key   []any
		text  string // the key as it is told
	}{
		"bigint":        {`"notId" bigint primary key`, `9007199254740993`, `9007199254740992`, []any{uint64(9007199254740993)}, "[9007199254740993]"},
		"text":          {`name text primary key`, `E'a,"b''\\ \n{}'`, `'a'`, []any{"a,\"b'\\ \n{}"}, "[a,\"b'\\ \n{}]"},
		"empty text":    {`name text primary key`, `''`, `' '`, []any{""}, "[]"},
		"varchar":       {`name varchar(10) primary key`, `'x'`, `'X'`, []any{"x"}, "[x]"},
		"char":          {`code char(4) primary key`, `'ab'`, `'abc'`, []any{"ab"}, "[ab]"},
		"uuid":          {`uid uuid primary key`, `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'`, []any{"A0EEBC999C0B4EF8BB6D6BB9BD380A11"}, "[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11]"},
		"uuid of bytes": {`uid uuid primary key`, `'01000000-0000-0000-0000-000000000000'`, `'02000000-0000-0000-0000-000000000000'`, []any{[16]byte{1}}, "[01000000-0000-0000-0000-000000000000]"},
		"numeric":       {`n numeric primary key`, `1.50`, `1.51`, []any{"1.5"}, "[1.50]"},
		"long numeric":  {`n numeric primary key`, `12345678901234567890.123456789`, `12345678901234567890.12345679`, []any{"12345678901234567890.1234567890"}, "[12345678901234567890.123456789]"},
		"boolean":       {`yes boolean primary key`, `true`, `false`, []any{true}, "[true]"},
		"timestamptz":   {`at timestamptz primary key`, `'2024-02-03 04:05:06.7+02'`, `'2024-02-03 04:05:06.7+00'`, []any{time.Date(2024, 2, 3, 2, 5, 6, 700_000_000, time.UTC)}, "[2024-02-03 02:05:06.7+00]"},
		"date":          {`day date primary key`, `'2024-02-03'`, `'2024-03-02'`, []any{time.Date(2024, 2, 3, 0, 0, 0, 0, time.UTC)}, "[2024-02-03]"},
		"bytea":         {`b bytea primary key`, `'\xdeadbeef'`, `'\xdead'`, []any{[]byte{0xde, 0xad, 0xbe, 0xef}}, `[\xdeadbeef]`},
		"enum":          {`mood mood primary key`, `'so so'`, `'fine'`, []any{"so so"}, "[so so]"},
		"domain":        {`code code primary key`, `'ab'`, `'cd'`, []any{"ab"}, "[ab]"},
		"composite":     {`a int, b text, primary key (b, a)`, `7, 'x'`, `7, 'y'`, []any{"x", 7}, "[x 7]"},
		"three columns": {`a int, b uuid, c date, primary key (a, b, c)`, `7, '01000000-0000-0000-0000-000000000000', '2024-02-03'`, `7, '01000000-0000-0000-0000-000000000000', '2024-02-04'`, []any{7, [16]byte{1}, "2024-02-03"}, "[7 01000000-0000-0000-0000-000000000000 2024-02-03]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWatch(t, fmt.Sprintf(`create type mood as enum ('so so', 'fine'); create domain code as text check (value <> '');
				create table things (%s, note text)`, test.table), rowsync.Watch{Table: "things", Label: "things"})
			w.follow(rowsync.Label("things").Key(test.key...))
			events := w.told(fmt.Sprintf("insert into things values (%s), (%s)", test.row, test.other),
				"update things set note = 'x'", "delete from things")
			if len(events) != 3 {
				t.Fatalf("told %v, want an insert, an update and a delete", events)
			}
			for i, op := range []rowsync.Op{rowsync.Inserted, rowsync.Updated, rowsync.Deleted} {
				ev := events[i]
				if ev.Op != op || fmt.Sprint(ev.Key()) != test.text || !ev.Is(rowsync.Label("things").Key(test.key...)) {
					t.Errorf("told %s, want %s of %s", ev, op, test.text)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		refused(t, "create table things (note text)", []rowsync.Watcher{rowsync.Watch{Table: "things", Label: "x"}},
			`watch "x" of things: table public.things has no primary key: name the columns that identify a row in Key, or add one (alter table public.things add primary key …)`)
	})
}

// TestA14NameLength: a label, or a name, that is longer than an identifier may
// be is an error that says by how many bytes.
func TestA14NameLength(t *testing.T) {
	longest := strings.Repeat("é", 31) + "x" // 63 bytes
	w := openUsers(t, rowsync.Watch{Table: "users", Label: longest, On: rowsync.Updated, TriggerColumns: []string{"email"}})
	w.follow(rowsync.Label(longest))
	w.tells(`update users set email = 'x' where id = 1`, longest+": users update id=1 → id=1")

	refused(t, usersSQL, []rowsync.Watcher{
		rowsync.Watch{Table: "users", Label: longest + "y"},
		rowsync.Watch{Table: "users", Label: longest + "éé"},
		rowsync.Watch{Table: longest + "yz", Label: "x"},
		rowsync.Watch{Schema: longest + "é", Table: "users", Label: "y"},
	},
		`watch "`+longest+`y" of users: option Label is 1 bytes longer than the 63 that a name may have in PostgreSQL`,
		`watch "`+longest+`éé" of users: option Label is 4 bytes longer than the 63 that a name may have in PostgreSQL`,
		`name "`+longest+`yz" is 2 bytes longer than the 63 that PostgreSQL keeps of a name`,
		`name "`+longest+`é" is 2 bytes longer than the 63 that PostgreSQL keeps of a name`)
}
