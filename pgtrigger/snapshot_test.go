package pgtrigger

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseSnapshot(t *testing.T) {
	s, err := parseSnapshot("10:20:10,14,15")
	if err != nil {
		t.Fatal(err)
	}
	for xid, want := range map[uint64]bool{3: true, 9: true, 10: false, 11: true, 14: false, 19: true, 20: false, 1 << 40: false} {
		if got := s.visible(xid); got != want {
			t.Errorf("visible(%d) = %v, want %v", xid, got, want)
		}
	}
	for _, bad := range []string{"", "1:2", "2:1:", "1:5:7", "5:9:3", "a:b:c", "1:5:4,3", "1:5:2,", "-1:5:"} {
		if s, err := parseSnapshot(bad); err == nil {
			t.Errorf("parseSnapshot(%q) = %v, want an error", bad, s)
		}
	}
}

// reaches must agree with its definition, transaction by transaction.
func TestSnapshotReaches(t *testing.T) {
	random := func() snapshot {
		s := snapshot{xmin: rand.Uint64N(6)}
		s.xmax = s.xmin + rand.Uint64N(6)
		for xid := s.xmin; xid < s.xmax; xid++ {
			if rand.IntN(2) == 0 {
				s.inProgress = append(s.inProgress, xid)
			}
		}
		return s
	}
	yes := 0
	for range 20_000 {
		s, floor := random(), random()
		want := true
		for xid := range uint64(20) {
			want = want && (!floor.visible(xid) || s.visible(xid))
		}
		if got := s.reaches(floor); got != want {
			t.Fatalf("%+v reaches %+v: %v, want %v", s, floor, got, want)
		}
		if want {
			yes++
		}
	}
	if yes == 0 || yes == 20_000 {
		t.Fatalf("%d of 20,000 covered: the test decides nothing", yes)
	}
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add("10:20:10,14,15")
	f.Add("1:1:")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSnapshot(text)
		if err != nil {
			return
		}
		if !slices.IsSorted(s.inProgress) || s.xmin > s.xmax {
			t.Fatalf("%q parsed to %+v", text, s)
		}
		ids := make([]string, len(s.inProgress))
		for i, xid := range s.inProgress {
			ids[i] = strconv.FormatUint(xid, 10)
		}
		_ = strings.Join(ids, ",")
	})
}
