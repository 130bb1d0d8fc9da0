package rowsync

import (
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// within leaves out the changes of rows of the root's table that are neither held
// nor among those that h.Order says are to be held: beyond a condition or a limit
// there may be many, and none of them needs to be read.
func (l *live) within(h *graph.Host, held []reflect.Value, changes []graph.Change) ([]graph.Change, error) {
	if h.Hidden != nil || l.rootTableBelow() {
		return changes, nil // they may be among what is hidden, or held below the root
	}
	keys := make(map[mapper.Key]bool, len(held)+len(h.Order))
	for _, row := range held {
		k, err := l.root.plan.Mapper.Key(row)
		if err != nil {
			return nil, err
		}
		keys[k] = true
	}
	for _, k := range h.Order {
		keys[k] = true
	}
	key := l.root.plan.Item("").Lookup
	return slices.DeleteFunc(changes, func(c graph.Change) bool {
		if c.Table != l.root.plan.Table {
			return false
		}
		for _, row := range c.Rows {
			if k, ok := c.Table.KeyOf(key, row); !ok || keys[k] {
				return false
			}
		}
		// What is read from now on must still be as new as the order is.
		h.Need = max(h.Need, c.Pos)
		return true
	}), nil
}

// rootTableBelow reports whether the root's table is also that of associations.
func (l *live) rootTableBelow() bool {
	n := 0
	l.root.plan.Tables(func(t *route.Table) {
		if t == l.root.plan.Table {
			n++
		}
	})
	return n > 1
}
