package rowsync

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
)

// TestEchoesEnd: what is expected is given up after its time, each by itself,
// and what is never asked for again does not stay in memory.
func TestEchoesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e echoes
		a := rowID{key: "a"}
		e.expect(a)
		time.Sleep(echoTime / 2)
		e.expect(a)
		e.expect(a)
		time.Sleep(echoTime/2 - time.Nanosecond)
		if !e.take(a, 1, &Event{}) {
			t.Error("given up before its time")
		}
		e.cancel(a)
		time.Sleep(time.Nanosecond)
		if !e.take(a, 1, &Event{}) || e.take(a, 1, &Event{}) || !e.none() {
			t.Error("of two that were left one was taken back, one not")
		}
		e.expect(a)
		time.Sleep(echoTime)
		if e.take(a, 1, &Event{}) {
			t.Error("expected after its time")
		}
		// An hour of writes whose events never come.
		for i := range 3600 {
			e.expect(rowID{key: mapper.Key(fmt.Sprint(i))})
			time.Sleep(time.Second)
		}
		if n := len(e.due); n > 121 {
			t.Errorf("%d rows are remembered, want those of two minutes at most", n)
		}
	})
}

// TestEchoesForget: a Reset ends what is expected, of its table or of all.
func TestEchoesForget(t *testing.T) {
	var e echoes
	x, y := &Table{Name: "x"}, &Table{Name: "y"}
	e.expect(rowID{x, "1"})
	e.expect(rowID{y, "1"})
	e.forget(x)
	if e.take(rowID{x, "1"}, 1, &Event{}) || e.none() {
		t.Error("the Reset of a table did not end what was expected of it alone")
	}
	e.forget(nil)
	if !e.none() {
		t.Error("a Reset did not end what was expected")
	}
}

// TestMergedOrigin: an event has an origin only if all its changes have it.
func TestMergedOrigin(t *testing.T) {
	for origins, want := range map[string]string{"aa": "a", "ab": "", "a-": "", "-a": "", "aba": "", "a-a": "", "aaa": "a", "--": ""} {
		var events []Event
		for _, o := range origins {
			e := Event{Change: Change{Op: Updated, Old: capture.Row{{}}, New: capture.Row{{}}}}
			if o != '-' {
				e.Origin = string(o)
			}
			events = append(events, e)
		}
		m := events[0]
		for _, e := range events[1:] {
			m, _ = m.merged(e)
		}
		if m.Origin != want || m.joined != len(origins)-1 {
			t.Errorf("origins %q became %q, joined %d", origins, m.Origin, m.joined)
		}
		// From the other end, as events that were joined already are.
		m = events[len(events)-1]
		for i := len(events) - 2; i >= 0; i-- {
			m, _ = events[i].merged(m)
		}
		if m.Origin != want || m.joined != len(origins)-1 {
			t.Errorf("origins %q became %q, joined %d", origins, m.Origin, m.joined)
		}
	}
}
