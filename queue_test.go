package rowsync

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
)

func change(op Op, pos uint64, old, now string) *Event {
	e := &Event{Change: Change{Op: op}, Position: Position{Seq: pos}}
	if old != "" {
		e.Old = capture.Row{{Text: old}}
	}
	if now != "" {
		e.New = capture.Row{{Text: now}}
	}
	return e
}

func taken(q *queue) []string {
	events, _ := q.take(100)
	out := make([]string, len(events))
	for i, e := range events {
		if e.Reset != nil {
			out[i] = "reset"
			continue
		}
		out[i] = fmt.Sprintf("%s %v→%v @%d", e.Op, e.Old, e.New, e.Position.Seq)
	}
	return out
}

// TestQueueJoinsEventsOfARow: what waits of one row is one event, which tells
// of the time before the first and after the last.
func TestQueueJoinsEventsOfARow(t *testing.T) {
	a := rowID{key: "a"}
	tests := []struct {
		events []*Event
		want   string
	}{
		{[]*Event{change(Inserted, 1, "", "1"), change(Updated, 2, "1", "2")}, "[insert []→[2] @2]"},
		{[]*Event{change(Updated, 1, "1", "2"), change(Updated, 2, "2", "3")}, "[update [1]→[3] @2]"},
		{[]*Event{change(Updated, 1, "1", "2"), change(Deleted, 2, "2", "")}, "[delete [1]→[] @2]"},
		{[]*Event{change(Inserted, 1, "", "1"), change(Deleted, 2, "1", "")}, "[delete [1]→[] @2]"},
		{[]*Event{change(Deleted, 1, "1", ""), change(Inserted, 2, "", "2")}, "[update [1]→[2] @2]"},
		{[]*Event{change(Updated, 1, "1", "2"), change(Updated, 1, "1", "2")}, "[update [1]→[2] @1]"},
	}
	for _, test := range tests {
		q := newQueue(10)
		for _, e := range test.events {
			q.push(e, a)
		}
		if got := fmt.Sprint(taken(q)); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestQueueOverflow: past the bound everything that waits is one Reset.
func TestQueueOverflow(t *testing.T) {
	q := newQueue(3)
	for pos := range uint64(10) {
		q.push(change(Updated, pos+1, "1", "2"), rowID{key: mapper.Key(fmt.Sprint(pos))})
	}
	want := "[reset update [1]→[2] @8 update [1]→[2] @9]"
	got := taken(q)
	if len(got) == 0 || got[0] != "reset" || len(got) > 3 {
		t.Errorf("got %s, want something like %s", got, want)
	}
}

// TestQueueResetTakesThePlace of what waits; one of a table does not, but what
// comes after it is not joined with what came before.
func TestQueueResetTakesThePlace(t *testing.T) {
	a := rowID{key: "a"}
	q := newQueue(10)
	q.push(change(Updated, 1, "1", "2"), a)
	q.pushReset(&Event{Reset: &Reset{Table: &Table{}}})
	q.push(change(Updated, 2, "2", "3"), a)
	if got := fmt.Sprint(taken(q)); got != "[update [1]→[2] @1 reset update [2]→[3] @2]" {
		t.Errorf("got %s", got)
	}
	q.push(change(Updated, 3, "1", "2"), a)
	q.pushReset(&Event{Reset: &Reset{}})
	q.push(change(Updated, 4, "2", "3"), a)
	if got := fmt.Sprint(taken(q)); got != "[reset update [2]→[3] @4]" {
		t.Errorf("got %s", got)
	}
}

// TestQueueRandom compares with a model: for each row, the newest position that
// was taken must be that of the last event, unless a Reset came after.
func TestQueueRandom(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		q := newQueue(1 + rng.IntN(6))
		last, seen := map[mapper.Key]uint64{}, map[mapper.Key]uint64{}
		bound := 0
		take := func(n int) {
			events, _ := q.take(n)
			for _, e := range events {
				if e.Reset != nil {
					for k, pos := range last {
						if pos <= e.Position.Seq {
							seen[k] = pos
						}
					}
					continue
				}
				seen[mapper.Key(e.New[0].Text)] = e.Position.Seq
			}
		}
		for pos := uint64(1); pos < 300; pos++ {
			k := fmt.Sprint(rng.IntN(8))
			e := change(Updated, pos, "", k)
			last[mapper.Key(k)] = pos
			q.push(e, rowID{key: mapper.Key(k)})
			if rng.IntN(4) == 0 {
				take(rng.IntN(4))
			}
			bound = max(bound, len(q.waiting)-q.head)
			if cap(q.waiting) > 1000 {
				t.Fatalf("seed %d: the queue grew to %d", seed, cap(q.waiting))
			}
		}
		take(100)
		for k, pos := range last {
			if seen[k] != pos {
				t.Fatalf("seed %d: row %s was last seen at %d, changed at %d", seed, k, seen[k], pos)
			}
		}
		if bound > q.limit {
			t.Fatalf("seed %d: %d waited, bound %d", seed, bound, q.limit)
		}
	}
}

// TestQueueKeepsStatesBetween: a value read between two changes that are joined
// shows the state between them, which must be looked at again.
func TestQueueKeepsStatesBetween(t *testing.T) {
	q := newQueue(10)
	a := rowID{key: "a"}
	for pos, rows := range [][2]string{{"", "1"}, {"1", "2"}, {"2", "3"}, {"3", "1"}, {"1", "4"}} {
		op := Updated
		if rows[0] == "" {
			op = Inserted
		}
		q.push(change(op, uint64(pos+1), rows[0], rows[1]), a)
	}
	events, _ := q.take(10)
	if len(events) != 1 || fmt.Sprint(events[0].rows()) != "[[2] [3] [1] [4]]" {
		t.Errorf("%d events, states %v", len(events), events[0].rows())
	}
	for pos := range uint64(100) {
		q.push(change(Updated, 10+pos, fmt.Sprint(pos), fmt.Sprint(pos+1)), a)
	}
	if events, _ = q.take(100); len(events) < 2 || len(events) > 5 {
		t.Errorf("100 states are %d events, want a few", len(events))
	}
}

// TestQueueReached: while an event waits, one has come no further than to just
// before the first change that it stands for.
func TestQueueReached(t *testing.T) {
	a, b, c := rowID{key: "a"}, rowID{key: "b"}, rowID{key: "c"}
	at := func(q *queue, n int) uint64 {
		events, _ := q.take(n)
		return q.reached(events).Seq
	}
	q := newQueue(10)
	q.push(change(Updated, 1, "1", "2"), a)
	q.push(change(Updated, 2, "1", "2"), b)
	q.push(change(Updated, 3, "1", "2"), c)
	q.push(change(Updated, 4, "2", "3"), b)
	q.push(change(Updated, 5, "2", "3"), a)
	for _, want := range []uint64{1, 2, 3} { // a stands for 1 and 5, b for 2 and 4, c for 3
		if got := at(q, 1); got != want {
			t.Errorf("reached %d, want %d", got, want)
		}
	}
	q.push(change(Updated, 6, "1", "2"), a)
	q.push(change(Updated, 7, "1", "2"), b)
	q.push(change(Updated, 8, "2", "3"), a)
	events, _ := q.take(1)
	q.pushReset(&Event{Position: Position{Epoch: 1, Seq: 9}, Reset: &Reset{}})
	if got := q.reached(events).Seq; got != 6 {
		t.Errorf("with a Reset in place of what waits, reached %d, want 6", got)
	}
	if got := at(q, 1); got != 9 {
		t.Errorf("reached %d, want 9", got)
	}
}

// TestQueueReachedRandom compares with a model: reached is the newest change that
// was taken, or just before the first that was not.
func TestQueueReachedRandom(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		q := newQueue(1 + rng.IntN(8))
		untold := map[string][]uint64{} // by row, the changes that were not taken
		for pos := uint64(1); pos < 300; pos++ {
			k := fmt.Sprint(rng.IntN(6))
			untold[k] = append(untold[k], pos)
			q.push(change(Updated, pos, k, k), rowID{key: mapper.Key(k)})
			if rng.IntN(3) > 0 {
				continue
			}
			events, _ := q.take(1 + rng.IntN(3))
			want := uint64(0)
			for _, e := range events {
				want = max(want, e.Position.Seq)
				for row, changes := range untold {
					for len(changes) > 0 && changes[0] <= e.Position.Seq && (e.Reset != nil || e.New[0].Text == row) {
						changes = changes[1:]
					}
					untold[row] = changes
				}
			}
			for _, changes := range untold {
				if len(changes) > 0 {
					want = min(want, changes[0]-1)
				}
			}
			if got := q.reached(events).Seq; got != want {
				t.Fatalf("seed %d: reached %d, want %d", seed, got, want)
			}
		}
	}
}

// TestQueueClosedHalfTaken: a Sync that is under way looks ahead also when its
// Subscriber has just been closed, or its context has ended.
func TestQueueClosedHalfTaken(t *testing.T) {
	q := newQueue(100)
	for i := range 10 {
		q.push(change(Inserted, uint64(i+1), "", fmt.Sprint(i)), rowID{})
	}
	q.take(1)
	q.close()
	if events := q.peek(10); len(events) > 0 {
		t.Errorf("%d events wait in a closed queue", len(events))
	}
	q.reached(nil)
}
