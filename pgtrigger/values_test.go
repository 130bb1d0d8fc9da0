package pgtrigger

import (
	"fmt"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

// The text of a value does not depend on the writer's session, whether it
// comes by bell or by poll.
func TestValues(t *testing.T) {
	const setup = `
		create type mood as enum ('sad', 'very "happy"');
		create type pair as (a int, b timestamptz);
		create domain price as numeric(10, 2);
		create schema "0xabcd";
		create table "0xabcd"."User Accounts" (
			"camelCase" text, u uuid, ts timestamptz, b bytea, n numeric, f float8, i interval, m mood, d date,
			p pair, tsa timestamptz[], dom price, r tstzrange, j jsonb, ok bool, money money, c char(4), reg regclass,
			primary key ("camelCase"))`
	columns := []string{"u", "ts", "b", "n", "f", "i", "m", "d", "p", "tsa", "dom", "r", "j", "ok", "money", "c", "reg"}
	table := &capture.Table{Schema: "0xabcd", Name: "User Accounts", Key: []string{"camelCase"}, Columns: columns}
	const insert = `insert into "0xabcd"."User Accounts" values (
		E'it''s "quoted" \\ back\nslash, {brace} ünïcödé 🎉',
		'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-02-29 12:34:56.789012+00', '\x00ff5c', 12345678901234567890.123456789,
		0.1::float8 + 0.2, '1 year 2 mons -3 days 04:05:06.7', 'very "happy"', '2024-02-29',
		row(1, '2024-02-29 12:00:00+00'), array['2024-02-29 12:00:00+00'::timestamptz, null], 12.5,
		tstzrange('2024-02-29 12:00:00+00', null), '{"a": [1, null]}', true, 1234.5, 'ab', '"0xabcd"."User Accounts"');
		insert into "0xabcd"."User Accounts" ("camelCase") values ('')`
	want := []string{"it's \"quoted\" \\ back\nslash, {brace} ünïcödé 🎉",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "2024-02-29 12:34:56.789012+00", `\x00ff5c`, "12345678901234567890.123456789",
		"0.30000000000000004", "1 year 2 mons -3 days +04:05:06.7", `very "happy"`, "2024-02-29",
		`(1,"2024-02-29 12:00:00+00")`, `{"2024-02-29 12:00:00+00",NULL}`, "12.50",
		`["2024-02-29 12:00:00+00",)`, `{"a": [1, null]}`, "true", "", "ab", `"0xabcd"."User Accounts"`}

	for _, bell := range []bool{true, false} {
		t.Run(fmt.Sprintf("bell %v", bell), func(t *testing.T) {
			t.Parallel()
			url := database(t, setup)
			n := start(t, url, Options{NoBell: !bell}, table)
			w := connect(t, url)
			for i, settings := range []string{
				"",
				"set DateStyle = 'German, DMY'; set TimeZone = 'Asia/Tokyo'; set bytea_output = 'escape'; set extra_float_digits = -10; set IntervalStyle = 'iso_8601'",
				`set DateStyle = 'SQL, MDY'; set IntervalStyle = 'sql_standard'; set search_path = "0xabcd"; set standard_conforming_strings = off; set quote_all_identifiers = on`,
			} {
				if bell {
					n.awaitAsleep()
				}
				w.do("reset all")
				if settings != "" {
					w.do(`begin; ` + settings)
				}
				if i == 2 { // these would be read with backslashes as escapes
					w.do("set standard_conforming_strings = on")
				}
				w.do(insert + `; delete from "0xabcd"."User Accounts"`)
				if settings != "" {
					w.do("commit")
				}
				changes := n.awaitChanges((i + 1) * 4)[i*4:]
				for j, wanted := range want {
					got := changes[0].New[j]
					if got.Null || got.Text != wanted && wanted != "" {
						t.Errorf("%s: column %s is %q, want %q", settings, append(table.Key, table.Columns...)[j], got.Text, wanted)
					}
					if j > 0 && !changes[1].New[j].Null {
						t.Errorf("column %d of the second row is %q, want null", j, changes[1].New[j].Text)
					}
				}
				if changes[1].New[0] != (capture.Value{}) {
					t.Errorf("the empty key is %+v", changes[1].New[0])
				}
			}
		})
	}
}

// Keys of several columns, none of them the first, in an order of their own;
// columns in another order than the definition's.
func TestCompositeKey(t *testing.T) {
	url := database(t, `create table places (z int, "order" text, b bytea, a int, primary key (b, "order"))`)
	table := &capture.Table{Schema: "public", Name: "places", Key: []string{"order", "b"}, Columns: []string{"z", "a"}}
	n := start(t, url, Options{}, table)
	n.awaitAsleep()
	w := connect(t, url)
	w.do(`insert into places values (1, 'x', '\x01', 2)`)
	w.do(`insert into places select g, 'y', decode(to_hex(g + 4096), 'hex'), 2 * g from generate_series(1, 1000) g`)
	changes := n.awaitChanges(1001)
	if got, want := showRow(changes[0].New), `(x,\x01,1,2)`; got != want {
		t.Errorf("row %s, want %s", got, want)
	}
	if got, want := showRow(changes[1000].New), `(y,\x13e8,1000,2000)`; got != want {
		t.Errorf("row %s, want %s", got, want)
	}
}

// A thousand keys change places: each row's old and new version belong together.
func TestPairing(t *testing.T) {
	url := database(t, "create table t (id int primary key deferrable initially deferred, v int)")
	table := &capture.Table{Schema: "public", Name: "t", Key: []string{"id"}, Columns: []string{"v"}}
	n := start(t, url, Options{}, table)
	w := connect(t, url)
	w.do("insert into t select g, g from generate_series(1, 1000) g")
	n.awaitChanges(1000)
	w.do("update t set id = id + 5000 where id % 3 = 0")
	w.do("update t set v = -v")
	for _, c := range n.awaitChanges(2333)[1000:] {
		if c.Old == nil || c.New == nil {
			t.Fatalf("update without %v or %v", c.Old, c.New)
		}
		if c.Old[0] == c.New[0] && "-"+c.Old[1].Text != c.New[1].Text || c.Old[0] != c.New[0] && c.Old[1] != c.New[1] {
			t.Fatalf("%s does not belong together", show([]capture.Change{c}))
		}
	}
}
