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
}

// String describes the subscription for logs.
func (s Subscription) String() string {
	if s.Columns == nil {
		return s.Table.String()
	}
	return fmt.Sprintf("%s where %v = %v", s.Table, s.Columns, s.Key)
}

func describe(it route.Item) Subscription {
	s := Subscription{Table: it.Table.Capture}
	if it.Lookup != route.WholeTable {
		s.Columns = it.Table.LookupColumns(it.Lookup)
		s.Key = it.Key.Split(len(s.Columns))
	}
	return s
}
