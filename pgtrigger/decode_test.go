package pgtrigger

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

// encodeRows is the binary form of a text[][], as PostgreSQL sends it.
func encodeRows(rows []capture.Row) []byte {
	header := make([]byte, 28)
	binary.BigEndian.PutUint32(header, 2)
	binary.BigEndian.PutUint32(header[8:], 25)
	binary.BigEndian.PutUint32(header[12:], uint32(len(rows)))
	binary.BigEndian.PutUint32(header[16:], 1)
	binary.BigEndian.PutUint32(header[20:], uint32(len(rows[0])))
	binary.BigEndian.PutUint32(header[24:], 1)
	data := slices.Clone(header)
	for _, row := range rows {
		for _, v := range row {
			if v.Null {
				data = append(data, 255, 255, 255, 255)
				continue
			}
			data = binary.BigEndian.AppendUint32(data, uint32(len(v.Text)))
			data = append(data, v.Text...)
		}
	}
	return data
}

func TestDecodeRows(t *testing.T) {
	for _, count := range []int{1, rowsPerBlock - 1, rowsPerBlock, rowsPerBlock + 1, 10*rowsPerBlock + 3} {
		want := make([]capture.Row, count)
		for i := range want {
			want[i] = capture.Row{{Text: strconv.Itoa(i)}, {Null: i%3 == 0}, {Text: ""}}
		}
		got, err := decodeRows(encodeRows(want), []int{0, 1, 2})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%d rows: got %v", count, got)
		}
	}
	// Values go to their places.
	got, err := decodeRows(encodeRows([]capture.Row{{{Text: "k"}, {Text: "a"}, {Text: "b"}}}), []int{0, 2, 1})
	if err != nil || showRow(got[0]) != "(k,b,a)" {
		t.Errorf("got %v, %v", got, err)
	}
	// Appending to a row must not write into its neighbour.
	two, _ := decodeRows(encodeRows([]capture.Row{{{Text: "1"}}, {{Text: "2"}}}), []int{0})
	_ = append(two[0], capture.Value{Text: "x"})
	if two[1][0].Text != "2" {
		t.Error("rows overlap")
	}
}

func FuzzDecodeRows(f *testing.F) {
	f.Add(encodeRows([]capture.Row{{{Text: "1"}, {Null: true}}, {{Text: ""}, {Text: "zwei"}}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := decodeRows(data, []int{0, 1})
		if err != nil || len(rows) == 0 {
			return
		}
		again, err := decodeRows(encodeRows(rows), []int{0, 1})
		if err != nil || !slices.EqualFunc(again, rows, slices.Equal) {
			t.Fatalf("%v became %v, %v", rows, again, err)
		}
	})
}

func FuzzParseBell(f *testing.F) {
	defs := newDefSet([]*definition{{table: posts(), id: 7, columns: []string{"id", "author_id"}, places: []int{0, 1}}})
	f.Add(`["730","12",7,"U",1700000000000000,null,[["1","2"]],[["1",null]]]`)
	f.Add(`["730",null,7]`)
	f.Add(`["730",null,8,1]`)
	f.Fuzz(func(_ *testing.T, payload string) {
		b, err := parseBell(payload, defs)
		if err != nil || b.entry == nil {
			return
		}
		// What is parsed can be delivered.
		b.entry.appendChanges(nil)
	})
}

// pair must bring rows together by key, whatever order they come in.
func TestPair(t *testing.T) {
	for range 1000 {
		n := 1 + rand.IntN(20)
		was, now := make([]capture.Row, n), make([]capture.Row, n)
		changed := rand.IntN(2) // at most one row changes its key: its partner is certain
		for i := range was {
			id := capture.Value{Text: strconv.Itoa(i)}
			was[i] = capture.Row{id, {Text: "old"}}
			now[i] = capture.Row{id, {Text: "new" + id.Text}}
		}
		if changed == 1 {
			now[0] = capture.Row{{Null: true}, {Text: "new0"}}
		}
		rand.Shuffle(n, func(i, j int) { was[i], was[j] = was[j], was[i] })
		rand.Shuffle(n, func(i, j int) { now[i], now[j] = now[j], now[i] })
		pair(was, now, 1)
		for i := range was {
			if now[i][1].Text != "new"+was[i][0].Text {
				t.Fatalf("%s stands beside %s", showRow(was[i]), showRow(now[i]))
			}
		}
	}
}

// Rows that changed their keys are paired in order.
func TestPairChangedKeys(t *testing.T) {
	row := func(key string) capture.Row { return capture.Row{{Text: key}} }
	was := []capture.Row{row("1"), row("2"), row("3"), row("3")}
	now := []capture.Row{row("11"), row("3"), row("12"), row("3")}
	pair(was, now, 1)
	var got []string
	for i := range was {
		got = append(got, was[i][0].Text+"→"+now[i][0].Text)
	}
	if want := []string{"1→11", "2→12", "3→3", "3→3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Transactions are ordered by their last entry and stay in one piece.
func TestOrder(t *testing.T) {
	e := func(xid uint64, at int64) entry { return entry{entryID: entryID{xid, uint32(at)}, at: at} }
	entries := []entry{e(9, 5), e(7, 6), e(8, 2), e(9, 1), e(7, 3), e(5, 9)}
	order(entries, map[uint64]bool{5: true})
	var got []int64
	for _, e := range entries {
		got = append(got, int64(e.xid)*10+e.at)
	}
	if want := []int64{59, 82, 91, 95, 73, 76}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
