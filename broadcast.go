package rowsync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
)

// Broadcast tells subscribers of a change as though the database had told of
// it: for tests, and for changes that the database cannot see, such as those of
// a session whose triggers are off. Everyone who follows the row is told, in
// this Client only, and the next value that needs the row reads it anew.
//
// The target is a watcher, without Key and Where. before and after are the row
// before the change and after it, by column or field name: an insert has no
// before, a deletion no after, and an update has both, which may be the same
// map. Each must hold the columns of the key; others that travel with the
// watcher's changes, and its trigger columns, are null if they are left out.
//
// Broadcast returns when the events are queued.
func (c *Client) Broadcast(t Target, before, after map[string]any) error {
	a, err := c.aim(t)
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if t.key != nil || t.column != nil {
		return fmt.Errorf("broadcast: target %s names rows: leave out Key and Where, the values say which row it is", t)
	}
	if c.isClosed() {
		return ErrClosed
	}
	change := Change{At: time.Now().UTC(), Table: a.item.Table.Capture}
	switch {
	case before == nil && after == nil:
		return errors.New("broadcast: neither before nor after is given: an insert has an after, a deletion a before, an update both")
	case before == nil:
		change.Op = Inserted
	case after == nil:
		change.Op = Deleted
	default:
		change.Op = Updated
	}
	if !a.ops.Has(change.Op) {
		return fmt.Errorf("broadcast: before and after say that a row was %s, and target %s is about %s rows", past(change.Op), t, past(a.ops))
	}
	var oldErr, newErr error
	change.Old, oldErr = rowOf(a, before)
	change.New, newErr = rowOf(a, after)
	if err := errors.Join(oldErr, newErr); err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	for _, w := range a.named {
		c.debug(w, "rowsync: broadcast by hand", "op", change.Op.String(), "key", w.keyText(&change))
	}
	c.delivering.Lock()
	defer c.delivering.Unlock()
	c.deliver([]Change{change})
	return nil
}

// rowOf makes a captured row of values; nil of nil.
func rowOf(a aim, values map[string]any) (Row, error) {
	if values == nil {
		return nil, nil
	}
	table := a.item.Table
	columns := slices.Concat(table.Capture.Key, table.Capture.Columns, table.Capture.Compared)
	row := make(Row, len(columns))
	for i := range row {
		row[i] = capture.Value{Null: true}
	}
	var errs []error
	given := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		column, ok := a.named[0].column(name)
		place := slices.Index(columns, column)
		if !ok || place < 0 {
			errs = append(errs, fmt.Errorf("column %q is not among those that are captured of %s: %s", name, a.named[0].of(), strings.Join(columns, ", ")))
			continue
		}
		if other, twice := given[column]; twice {
			errs = append(errs, fmt.Errorf("%q and %q are the same column of %s: give it once", other, name, a.named[0].of()))
			continue
		}
		given[column] = name
		text, set, err := mapper.PlainText(a.named[0].found.Column(column), values[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("value of column %s of %s: %w", name, a.named[0].of(), err))
			continue
		}
		row[place] = capture.Value{Text: text, Null: !set}
	}
	if len(errs) == 0 {
		for _, column := range a.named[0].key {
			if row[placeOf(table, column)].Null {
				errs = append(errs, fmt.Errorf("key column %q of %s is missing or null", column, a.named[0].of()))
			}
		}
	}
	return row, errors.Join(errs...)
}
