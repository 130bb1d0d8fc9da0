package rowsync

import (
	"fmt"
	"slices"

	"github.com/rowsync/rowsync/capture"
)

// These are the words of package capture, under the names that programs use.
type (
	// Op is what happened to a row, or a set of such operations.
	Op = capture.Op
	// Change is one committed change of one row.
	Change = capture.Change
	// Reset says that changes may have been missed: load again.
	Reset = capture.Reset
	// Table says what is captured of one table.
	Table = capture.Table
	// Source captures the changes of tables.
	Source = capture.Source
	// Sink takes what a Source captures.
	Sink = capture.Sink
)

// The operations.
const (
	Inserted  = capture.Insert
	Updated   = capture.Update
	Deleted   = capture.Delete
	Truncated = capture.Truncate

	// AnyOp is every operation on a row.
	AnyOp = Inserted | Updated | Deleted
)

// Position says how far a Client has heard: Seq grows with each change that
// arrives at it, and now and then between; Epoch counts the Resets. Positions of
// one Client can be compared; those of two Clients, or of two runs of a program,
// cannot.
type Position struct {
	Epoch uint64
	Seq   uint64
}

// Event is a change, or a Reset, as one Subscriber receives it.
type Event struct {
	// Change is what happened to which row. Several changes of a row that a
	// Subscriber has not yet received may have become one: then Old is from
	// before the first and New from after the last, and Origin is "" unless it is
	// that of them all. It is empty in a Reset.
	Change
	// Label is that of the watcher that tells of the change. An event without
	// one is told by the watchers that have none, which are named by the model
	// of its table and its operation.
	Label string
	// Position is how far the Client had heard with this event.
	Position Position
	// Reset is not nil if changes may have been missed up to here. What was
	// loaded before must then be loaded again; events that follow go on from here.
	Reset *Reset

	client  *Client  // nil if no Client made the event
	watcher *watched // nil without a Label
	// between is how the row was after the first of several changes and before
	// the last, where its captured columns differed from Old and New: a value
	// read meanwhile may show it so.
	between []capture.Row
	// appeared says that one of several changes was an insert or a delete.
	appeared bool
	// joined is how many further changes the event stands for.
	joined int
	// echoTo is the Subscriber that expected an echo when it took the event.
	echoTo *Subscriber
	// whole is the event as it was, if a Subscriber may not see all of it.
	whole *Event
}

// maxBetween is how many states of a row one event may stand for; past it
// further changes of the row are events of their own.
const maxBetween = 32

// String describes the event for logs.
func (e Event) String() string {
	if e.Reset != nil {
		if e.Reset.Table != nil {
			return fmt.Sprintf("reset of %s: %s", e.Reset.Table, e.Reset.Reason)
		}
		return "reset: " + e.Reset.Reason
	}
	if e.Table == nil {
		return "no event"
	}
	text := fmt.Sprintf("%s %s %v", e.Op, e.Table, e.Key())
	if e.Label != "" {
		return fmt.Sprintf("%q: %s", e.Label, text)
	}
	return text
}

// merged returns the one event that stands for e and then later, which are of
// the same row; false if they cannot be one.
func (e Event) merged(later Event) (Event, bool) {
	m := later
	m.Old = e.Old
	switch {
	case e.Op == Inserted && later.Op == Updated:
		m.Op = Inserted
	case e.Op == Deleted && later.Op == Inserted:
		m.Op = Updated
	case e.Op == Inserted:
		// Inserted and deleted again: still told, for the row may have been read between.
		m.Old = later.Old
	}
	if e.Origin != later.Origin {
		m.Origin = "" // news to the writers of either
	}
	m.joined = e.joined + later.joined + 1
	m.appeared = e.appeared || later.appeared || e.Op != Updated || later.Op != Updated
	m.between = nil
	for _, row := range append(slices.Clone(e.between), e.New, later.Old) {
		if row != nil && !slices.ContainsFunc(m.rows(), func(r capture.Row) bool { return slices.Equal(r, row) }) {
			m.between = append(m.between, row)
		}
	}
	return m, len(m.between) <= maxBetween
}

// rows returns every state of the row that the event tells of.
func (e Event) rows() []capture.Row {
	rows := slices.Clone(e.between)
	for _, row := range []capture.Row{e.Old, e.New} {
		if row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}
