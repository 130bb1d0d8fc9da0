package rowsync

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

type status string

// TestLiveArgsNames: parameters have equal names if and only if they are the same
// to PostgreSQL, and none if their content is not known.
func TestLiveArgsNames(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	abroad := at.In(time.FixedZone("X", 3600))
	different := [][]any{
		{}, {nil}, {nil, nil}, {1}, {2}, {int64(1)}, {1, 2}, {2, 1}, {1.0}, {math.Copysign(0, -1)}, {0.0}, {true},
		{"1"}, {"1", "2"}, {`1" "2`}, {status("1")}, {new("1")}, {new(new("1"))}, {(*string)(nil)},
		{at}, {abroad}, {at.Add(1)}, {&at},
		{[]byte("1")}, {[]byte(nil)}, {[]byte{}}, {[]string{"1"}}, {[]string{"1", "2"}}, {[]string{"1 2"}}, {[]string{"2", "1"}}, {[]string{}},
		{[]*string{nil}}, {[]*string{new("1")}}, {[][]string{{"1"}, {"2"}}}, {[][]string{{"1", "2"}}}, {[16]byte{1}}, {[16]byte{2}},
		{math.NaN()}, {pgx.QueryExecModeSimpleProtocol, 1},
	}
	known := map[any]string{}
	for _, args := range different {
		text := fmt.Sprintf("%#v", args)
		fixed, id, ok := fixArgs(args)
		if same := text == fmt.Sprintf("%#v", []any{math.NaN()}) || reflect.DeepEqual(fixed, args); !ok || !same {
			t.Errorf("%s: known %v, copy %#v", text, ok, fixed)
			continue
		}
		if other, twice := known[id]; twice {
			t.Errorf("%s is named as %s", text, other)
		}
		known[id] = text
		if _, again, _ := fixArgs(fixed); again != id {
			t.Errorf("a copy of %s has another name", text)
		}
	}
	cyclic := []any{nil}
	cyclic[0] = cyclic
	for _, arg := range []any{
		pgx.NamedArgs{"a": 1}, map[string]string{}, pgtype.Text{}, netip.Addr{}, []any{1}, cyclic, func() {}, []time.Duration{1}[:0:0], &pgtype.Text{}, new(any),
	} {
		_, _, ok := fixArgs([]any{1, arg})
		if _, duration := arg.([]time.Duration); ok != duration {
			t.Errorf("%#v: known %v", arg, ok)
		}
	}
}

// TestLiveArgsCopied: the copy has nothing in common with what was given.
func TestLiveArgsCopied(t *testing.T) {
	text, list, bytes := "a", []string{"a"}, []byte("a")
	nested := [1]*[]string{&list}
	args := []any{&text, list, bytes, nested}
	fixed, _, ok := fixArgs(args)
	if !ok {
		t.Fatal("not known")
	}
	text, list[0], bytes[0], args[1] = "b", "b", 'b', nil
	want := []any{new("a"), []string{"a"}, []byte("a"), [1]*[]string{{"a"}}}
	if !reflect.DeepEqual(fixed, want) {
		t.Errorf("the copy was altered: %#v", fixed)
	}
}
