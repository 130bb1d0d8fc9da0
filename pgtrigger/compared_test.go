package pgtrigger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

// Of a column that is only compared a change shows whether it changed, by value.
func TestCompared(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		kind, value   string
		same, differs []string // what it may be set to
	}{
		{"text", "'a'", []string{"'a'"}, []string{"'A'", "''", "null", "'a '"}},
		{"text", "''", []string{"''"}, []string{"null", "'#'", "'='"}},
		{"text", "null", []string{"null"}, []string{"''", "'null'"}},
		{"text", "'" + long + "'", []string{"'" + long + "'"}, []string{"'" + long + "x'", "'y" + long[1:] + "'", "null", "'a'"}},
		{"text", "'" + strings.Repeat("ü", 40) + "'", nil, []string{"'" + strings.Repeat("ü", 41) + "'", "'" + strings.Repeat("ü", 39) + "u'"}},
		{"text collate ignoring_case", "'Straße'", []string{"'Straße'"}, []string{"'STRASSE'", "'straße'"}},
		{"text collate ignoring_case", "'" + long + "'", []string{"'" + long + "'"}, []string{"'" + strings.ToUpper(long) + "'"}},
		{"numeric", "1.5", []string{"1.50", "1.500000"}, []string{"1.51", "null", "'NaN'"}},
		{"numeric", "1e200", []string{"1e200 + 0.00"}, []string{"1e200 + 1", "-1e200"}},
		{"numeric(10, 2)", "3", []string{"3.00"}, []string{"3.01"}},
		{"price", "3", []string{"3.000"}, []string{"3.001"}},
		{"int", "1", []string{"1"}, []string{"2", "null"}},
		{"boolean", "true", []string{"true"}, []string{"false", "null"}},
		{"timestamptz", "'2024-02-29 12:00:00+00'", []string{"'2024-02-29 13:00:00+01'"}, []string{"'2024-02-29 12:00:00+01'"}},
		{"float8", "0.1", []string{"0.1"}, []string{"0.10000000000000002"}},
		{"char(4)", "'ab'", []string{"'ab  '"}, []string{"'abc'"}},
		{"jsonb", "'{\"a\": 1, \"b\": 2}'", []string{"'{\"b\":2,\"a\":1}'"}, []string{"'{\"a\": 1}'", "'null'", "null"}},
		{"bytea", "'\\x00'", []string{"'\\x00'"}, []string{"'\\x0000'"}},
		{"text[]", "array_fill('x'::text, array[100])", []string{"array_fill('x'::text, array[100])"}, []string{"array_fill('x'::text, array[101])"}},
		{"pair", "(1, repeat('x', 200))", []string{"(1, repeat('x', 200))"}, []string{"(2, repeat('x', 200))"}},
	} {
		for _, partition := range []string{"", " partition by hash (id); create table part partition of t for values with (modulus 1, remainder 0)"} {
			name := c.kind + " " + c.value[:min(len(c.value), 20)]
			t.Run(fmt.Sprintf("%s rows %v", name, partition != ""), func(t *testing.T) {
				tab := table("t")
				tab.Compared = []string{"v"}
				p := watching(t, `create collation ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
					create domain price as numeric; create type pair as (a int, b text);
					create table t (id int primary key, v `+c.kind+", w int)"+partition, Options{}, tab)
				for i, value := range append(c.same, c.differs...) {
					p.changesOf(fmt.Sprintf("delete from t; insert into t values (1, %s)", c.value))
					change := p.changesOf("update t set v = " + value)[0]
					if same := i < len(c.same); (change.Old[1] == change.New[1]) != same {
						t.Errorf("%s → %s: %v → %v, want the same: %v", c.value, value, change.Old[1], change.New[1], same)
					}
					if n := len(change.New[1].Text); n > maxPlain+1 {
						t.Errorf("%s → %s: %d bytes travel", c.value, value, n)
					}
				}
				// Columns that are not named change nothing.
				if change := p.changesOf("update t set w = 1, v = v")[0]; change.Old[1] != change.New[1] {
					t.Errorf("v = v: %v → %v", change.Old[1], change.New[1])
				}
			})
		}
	}
}

// The order of columns is that of the table's lists: key, columns, compared.
func TestComparedPlaces(t *testing.T) {
	tab := &capture.Table{Schema: "public", Name: "t", Key: []string{"k"}, Columns: []string{"c", "b"}, Compared: []string{"z", "a"}}
	p := watching(t, "create table t (a int, b int, c int, k int primary key, z int);", Options{}, tab)
	p.expect("insert into t values (1, 2, 3, 4, 5)", "insert t ∅→(4,3,2,=5,=1)")
}

// An operation that is not captured has no trigger; TRUNCATE always has.
func TestOps(t *testing.T) {
	const all = "insert into t values (1, 1); update t set v = 2; delete from t; truncate t"
	for ops, want := range map[capture.Op][]string{
		0:                               {"insert t ∅→(1,1)", "update t (1,1)→(1,2)", "delete t (1,2)→∅", "truncate t ∅→∅"},
		capture.Insert:                  {"insert t ∅→(1,1)", "truncate t ∅→∅"},
		capture.Update:                  {"update t (1,1)→(1,2)", "truncate t ∅→∅"},
		capture.Delete:                  {"delete t (1,2)→∅", "truncate t ∅→∅"},
		capture.Truncate:                {"truncate t ∅→∅"},
		capture.Insert | capture.Delete: {"insert t ∅→(1,1)", "delete t (1,2)→∅", "truncate t ∅→∅"},
	} {
		for _, always := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v always %v", ops, always), func(t *testing.T) {
				tab := table("t", "v")
				tab.Ops = ops
				p := watching(t, "create table t (id int primary key, v int);", Options{Always: always}, tab)
				p.expect(all, want...)
				if got := p.triggersOn("t"); got != fmt.Sprint(len(want)) {
					t.Errorf("%s triggers, want %d", got, len(want))
				}
			})
		}
	}
}

// Definitions that differ in their operations stand side by side.
func TestOpsSideBySide(t *testing.T) {
	inserts := posts()
	inserts.Ops = capture.Insert
	url := database(t, postsSQL)
	one, two := start(t, url, Options{}, inserts), start(t, url, Options{}, posts())
	connect(t, url).do("insert into posts values (200, 1, ''); delete from posts where id = 200; insert into posts values (201, 1, '')")
	two.awaitChanges(3)
	one.awaitChanges(2)
}
