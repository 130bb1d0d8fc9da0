// Package capture is the contract between those who see changes in a database
// and those who act on them: a [Source] runs into a [Sink].
//
// Programs use these types under the names that package rowsync gives them;
// they stand here so that a Source can be written without importing rowsync.
package capture

import (
	"context"
	"strings"
	"time"
)

// Op is what happened to a row, or a set of such operations.
type Op uint8

// The operations. They are bits, so that a set of them is an Op too.
const (
	Insert Op = 1 << iota
	Update
	Delete
	// Truncate empties a whole table: no row of it is named.
	Truncate
)

// Has reports whether every operation of o is in the set.
func (set Op) Has(o Op) bool { return set&o == o }

// String names the operations of the set, such as "insert" or "update|delete".
func (set Op) String() string {
	var names []string
	for i, name := range []string{"insert", "update", "delete", "truncate"} {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, "|")
}

// Table says what to capture of one table. It is not altered once it has been
// handed to a Source; a Change points to the Table it was captured for.
type Table struct {
	Schema string
	Name   string
	// Key names the columns that identify a row, in order.
	Key []string
	// Columns names the further columns that travel with a change, without
	// those of Key.
	Columns []string
	// Compared names columns of which a change only has to show whether they
	// changed, without those of Key and Columns. In place of a long value a
	// Source may give a digest, which is equal for equal values.
	Compared []string
	// OnlyChanged says that an update which leaves every captured value as it
	// was need not be told.
	OnlyChanged bool
	// Ops is the set of operations to capture; none means all of them. TRUNCATE
	// is captured whatever it says.
	Ops Op
}

// Captures reports whether the operation is captured.
func (t *Table) Captures(o Op) bool { return o == Truncate || t.Ops == 0 || t.Ops.Has(o) }

// String returns the schema-qualified name, unquoted.
func (t *Table) String() string { return t.Schema + "." + t.Name }

// Value is the value of one column, as the text PostgreSQL gives under fixed
// settings (ISO dates in UTC, hexadecimal bytea, shortest exact floats), or null.
type Value struct {
	Text string
	Null bool
}

// String returns the text, or "null".
func (v Value) String() string {
	if v.Null {
		return "null"
	}
	return v.Text
}

// Row holds the values of a table's Key columns, then those of its Columns and
// then those of its Compared, in the order of [Table].
type Row []Value

// Change is one committed change of one row.
type Change struct {
	Op    Op
	Table *Table
	// Old is the row before the change; nil for an insert.
	Old Row
	// New is the row after the change; nil for a delete.
	New Row
	// TxID is the id of the transaction that made the change (pg_current_xact_id).
	TxID uint64
	// At is when the statement made the change, by the database's clock; the
	// commit came later.
	At time.Time
	// Origin is the tag that the writer gave its transaction, or "".
	Origin string
}

// Reset says that changes may have been missed up to this moment: whatever was
// loaded before must be loaded again.
type Reset struct {
	// Table is the table that may have changed unseen; nil means every table.
	Table *Table
	// Reason says in words what happened.
	Reason string
	// Err is the error behind it, if any.
	Err error
}

// Sink takes what a Source captures. A Source calls its methods from one
// goroutine at a time; they return soon and never wait for a subscriber.
type Sink interface {
	// Started says that capture runs: every change that is committed from now
	// on reaches the Sink, or a Reset does. It is called once.
	Started()
	// Deliver takes the changes of one or more committed transactions: those
	// of a transaction next to each other in the order it made them, those of
	// one row in the order they were committed. When Deliver is called, the
	// changes are visible to every new snapshot of the database. The Sink may
	// keep the slice.
	Deliver(changes []Change)
	// Reset says that changes may have been missed.
	Reset(r Reset)
}

// Source captures the changes of tables.
type Source interface {
	// Run captures the changes of tables into sink until ctx ends, and then
	// returns ctx's error. An error before [Sink.Started] means that capture
	// could not begin; after it, Run mends broken connections by itself and
	// tells the Sink of every gap as a Reset, so it returns early only for
	// what cannot be mended.
	Run(ctx context.Context, tables []*Table, sink Sink) error
}
