package demo

import (
	"context"
	"sync"
	"time"

	"github.com/rowsync/rowsync"
)

// remembered is how many of the last transactions the meter can still time.
const remembered = 1 << 16

// meter measures how long after its commit a transaction shows in the held
// value, and counts what the Live takes in. It is a [rowsync.SyncTracer] for a
// Client that has one Live. Its methods may be called from any goroutine.
//
// The time runs from when the writer has heard that its COMMIT succeeded to
// when the value that shows it is there; a value that is there first took no
// time. There is one measurement for each transaction and burst of events in
// which the value took something of it in. Changes of one row that were taken
// in together count as the newest of them; what came with a Reset is not timed.
type meter struct {
	mu      sync.Mutex
	commits map[uint64]*commit
	oldest  []uint64 // transactions in the order they came, as a ring
	next    int
	taken   taken
}

// taken is what the Live has taken in. It is a value.
type taken struct {
	events, resets, failures uint64
	latency                  histogram
}

// commit is a transaction of a writer.
type commit struct {
	acknowledged time.Time // zero until then
	early        int       // how often it was synced before that
}

func newMeter() *meter {
	return &meter{commits: map[uint64]*commit{}, oldest: make([]uint64, remembered)}
}

// committing says that a transaction is about to commit.
func (m *meter) committing(id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.commits, m.oldest[m.next])
	m.oldest[m.next] = id
	m.next = (m.next + 1) % remembered
	m.commits[id] = &commit{}
}

// committed says that its COMMIT was acknowledged at a time.
func (m *meter) committed(id uint64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.commits[id]
	if c == nil {
		return
	}
	c.acknowledged = at
	for range c.early {
		m.taken.latency.add(0)
	}
}

// TraceSync implements [rowsync.SyncTracer].
func (m *meter) TraceSync(_ context.Context, s rowsync.SyncTrace) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Err != nil {
		m.taken.failures++
	}
	timed := map[uint64]bool{}
	for _, e := range s.Events {
		if e.Reset != nil {
			m.taken.resets++
			continue
		}
		m.taken.events++
		if s.Err == nil && !timed[e.TxID] {
			timed[e.TxID] = true
			m.synced(e.TxID, now)
		}
	}
}

// synced notes that the value took in events of a transaction, m.mu held.
func (m *meter) synced(id uint64, now time.Time) {
	c := m.commits[id]
	switch {
	case c == nil: // of someone else, or too long ago
	case c.acknowledged.IsZero():
		c.early++
	default:
		m.taken.latency.add(now.Sub(c.acknowledged))
	}
}

func (m *meter) read() taken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}
