package rowsync

import (
	"fmt"

	"github.com/rowsync/rowsync/internal/route"
)

// Subscription is one thing that a Subscriber follows.
type Subscription struct {
	Table *Table
	// Columns and Key say which rows: those that hold Key in Columns. Both are
	// nil for every row of the table.
	Columns []string
	Key     []string
	// Ops are the operations that are followed.
	Ops Op
}

// String describes the subscription for logs.
func (s Subscription) String() string {
	if s.Columns == nil {
		return fmt.Sprintf("%s of %s", past(s.Ops), s.Table)
	}
	return fmt.Sprintf("%s of %s where %v = %v", past(s.Ops), s.Table, s.Columns, s.Key)
}

func describe(it route.Item, ops Op) Subscription {
	s := Subscription{Table: it.Table.Capture, Ops: ops}
	if it.Lookup != route.WholeTable {
		s.Columns = it.Table.LookupColumns(it.Lookup)
		s.Key = it.Key.Split(len(s.Columns))
	}
	return s
}
