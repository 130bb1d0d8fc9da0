package demo

import "time"

// reading is what has happened up to a moment. It is a value.
type reading struct {
	at    time.Time
	taken taken

	transactions, changes, rolledBack uint64
	captured, statements, rows        uint64
	kills                             uint64
}

// reading returns what has happened since the run began.
func (d *demo) reading() reading {
	s := d.client.Stats()
	return reading{
		at: time.Now(), taken: d.meter.read(),
		transactions: d.writers.transactions.Load(),
		changes:      d.writers.changes.Load(),
		rolledBack:   d.writers.rolledBack.Load(),
		captured:     s.Changes - d.loaded.Changes,
		statements:   s.Statements - d.loaded.Statements,
		rows:         s.Rows - d.loaded.Rows,
		kills:        d.chaos.count(),
	}
}

const (
	// window is how far back rates and times reach.
	window = 5 * time.Second
	// spacing is how far apart the readings are that a gauge keeps.
	spacing = 500 * time.Millisecond
)

// gauge tells what happens now from readings.
type gauge struct {
	latest reading
	past   []reading // the oldest first
}

func newGauge(first reading) *gauge {
	return &gauge{latest: first, past: []reading{first}}
}

func (g *gauge) add(r reading) {
	g.latest = r
	if r.at.Sub(g.past[len(g.past)-1].at) < spacing {
		return
	}
	g.past = append(g.past, r)
	for len(g.past) > 2 && r.at.Sub(g.past[1].at) >= window {
		g.past = g.past[1:]
	}
}

// rates are what happens now.
type rates struct {
	events, statements float64 // per second
	rowsPerEvent       float64
	latency            *histogram
}

// rates returns the rates over the last window.
func (g *gauge) rates() rates {
	from := g.past[0]
	r := rates{latency: g.latest.taken.latency.since(&from.taken.latency)}
	seconds := g.latest.at.Sub(from.at).Seconds()
	if seconds <= 0 {
		return r
	}
	events := float64(g.latest.taken.events - from.taken.events)
	r.events = events / seconds
	r.statements = float64(g.latest.statements-from.statements) / seconds
	if events > 0 {
		r.rowsPerEvent = float64(g.latest.rows-from.rows) / events
	}
	return r
}
