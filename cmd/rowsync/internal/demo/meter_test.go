package demo

import (
	"errors"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// sync tells the meter that events of transactions were taken in.
func (m *meter) sync(t *testing.T, err error, transactions ...uint64) {
	t.Helper()
	var events []*rowsync.Event
	for _, id := range transactions {
		events = append(events, &rowsync.Event{Change: rowsync.Change{TxID: id}})
	}
	m.TraceSync(t.Context(), rowsync.SyncTrace{Events: events, Err: err})
}

func TestMeter(t *testing.T) {
	m := newMeter()
	m.committing(1)
	m.committed(1, time.Now().Add(-100*time.Millisecond))
	m.sync(t, nil, 1, 1) // once for a burst
	m.committing(2)
	m.sync(t, nil, 2) // before the writer hears of its commit
	m.committed(2, time.Now())
	m.committing(3) // never committed
	m.sync(t, nil, 99)
	m.committing(4)
	m.committed(4, time.Now())
	m.sync(t, errors.New("no connection"), 4)
	m.TraceSync(t.Context(), rowsync.SyncTrace{Events: []*rowsync.Event{{Reset: &rowsync.Reset{}}}})

	got := m.read()
	if got.events != 5 || got.resets != 1 || got.failures != 1 {
		t.Errorf("%d events, %d resets, %d failures; want 5, 1, 1", got.events, got.resets, got.failures)
	}
	if got.latency.total != 2 {
		t.Errorf("%d measurements, want those of transactions 1 and 2", got.latency.total)
	}
	least, _ := got.latency.quantile(0)
	most, _ := got.latency.quantile(1)
	if least > time.Microsecond || most < 100*time.Millisecond || most > time.Second {
		t.Errorf("measured %v to %v, want none to 100 ms", least, most)
	}
}

func TestMeterForgets(t *testing.T) {
	m := newMeter()
	for id := range uint64(3 * remembered) {
		m.committing(id + 1)
		m.committed(id+1, time.Now())
	}
	if len(m.commits) > remembered {
		t.Errorf("%d transactions are remembered", len(m.commits))
	}
	m.sync(t, nil, 1)
	m.sync(t, nil, 3*remembered)
	if n := m.read().latency.total; n != 1 {
		t.Errorf("%d measurements, want that of the last transaction", n)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	if _, ok := h.quantile(0.5); ok {
		t.Error("a quantile of nothing")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	earlier := h
	h.add(time.Hour)
	h.add(-time.Second)
	for _, c := range []struct {
		of   *histogram
		q    float64
		want time.Duration
	}{
		{&earlier, 0.5, 500 * time.Millisecond},
		{&earlier, 0.99, 990 * time.Millisecond},
		{&earlier, 1, time.Second},
		{h.since(&earlier), 0.5, time.Microsecond},
	} {
		got, _ := c.of.quantile(c.q)
		if got < c.want || float64(got) > float64(c.want)*growth {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
}
