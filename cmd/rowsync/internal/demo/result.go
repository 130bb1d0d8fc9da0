package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// result is what a run came to, as --json prints it.
type result struct {
	Equal bool `json:"equal"`
	// Difference says how what is held is not what a fresh load returns.
	Difference string `json:"difference,omitempty"`

	ChangesCommitted uint64 `json:"changes_committed"` // rows, and tables truncated
	Transactions     uint64 `json:"transactions"`      // committed, with changes
	RolledBack       uint64 `json:"rolled_back"`       // transactions
	ChangesCaptured  uint64 `json:"changes_captured"`  // that the Client received
	EventsReceived   uint64 `json:"events_received"`   // that the Live took in, Resets left out
	Resets           uint64 `json:"resets"`            // that the Live took in
	RowsLoaded       uint64 `json:"rows_loaded"`       // without the first load
	Statements       uint64 `json:"statements"`        // likewise
	Failures         uint64 `json:"failures"`          // times the Live could not take events in, and tried again
	Kills            uint64 `json:"kills"`             // of the reader's connection

	// From a commit's acknowledgement to the synced value, in milliseconds;
	// null without any.
	P50     *float64 `json:"p50_ms"`
	P99     *float64 `json:"p99_ms"`
	Max     *float64 `json:"max_ms"`
	Samples uint64   `json:"samples"`

	Posts    int     `json:"posts"` // held at the end
	Seconds  float64 `json:"seconds"`
	Writers  int     `json:"writers"`
	Rate     int     `json:"rate"`
	Chaos    bool    `json:"chaos"`
	Seed     uint64  `json:"seed"`
	Postgres string  `json:"postgres"`
}

func (d *demo) result(took time.Duration, difference string) *result {
	r := d.reading()
	return &result{
		Equal: difference == "", Difference: difference,
		ChangesCommitted: r.changes, Transactions: r.transactions, RolledBack: r.rolledBack,
		ChangesCaptured: r.captured, EventsReceived: r.taken.events, Resets: r.taken.resets,
		RowsLoaded: r.rows, Statements: r.statements, Failures: r.taken.failures, Kills: r.kills,
		P50: quantileMS(&r.taken.latency, 0.5), P99: quantileMS(&r.taken.latency, 0.99),
		Max: quantileMS(&r.taken.latency, 1), Samples: r.taken.latency.total,
		Posts: len(d.live.Value()), Seconds: math.Round(took.Seconds()*100) / 100,
		Writers: d.opts.writers, Rate: d.opts.rate, Chaos: d.opts.chaos, Seed: d.opts.seed,
		Postgres: d.place.version,
	}
}

// quantileMS returns a quantile in milliseconds, to the microsecond.
func quantileMS(h *histogram, q float64) *float64 {
	d, ok := h.quantile(q)
	if !ok {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// report prints the result, and returns [cli.ErrFailed] if what was held did
// not equal a fresh load.
func (r *result) report(w io.Writer, asJSON bool) error {
	write := r.text
	if asJSON {
		write = r.json
	}
	if err := write(w); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	if !r.Equal {
		return cli.ErrFailed
	}
	return nil
}

func (r *result) json(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r *result) text(w io.Writer) error {
	verdict := fmt.Sprintf("equal: the %d posts held, with authors and tags, are what a fresh load returns", r.Posts)
	if !r.Equal {
		verdict = "NOT EQUAL to a fresh load: " + r.Difference
	}
	_, err := fmt.Fprintf(w, `committed: %d changes in %d transactions in %.0f s, seed %d
taken in: %d events and %d resets, with %d rows read in %d statements
commit to synced: p50 %s, p99 %s
%s
`,
		r.ChangesCommitted, r.Transactions, r.Seconds, r.Seed,
		r.EventsReceived, r.Resets, r.RowsLoaded, r.Statements,
		milliseconds(r.P50), milliseconds(r.P99), verdict)
	return err
}

func milliseconds(ms *float64) string {
	switch {
	case ms == nil:
		return "-"
	case *ms < 10:
		return fmt.Sprintf("%.2f ms", *ms)
	}
	return fmt.Sprintf("%.0f ms", *ms)
}
