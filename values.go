package rowsync

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/capture"
)

// Value is the value of one column as PostgreSQL's text, or null.
type Value = capture.Value

// Row holds the values of a captured row; see [Table].
type Row = capture.Row

// Key returns the values of the row's key: as they are after the change, or
// were before a deletion. It is nil for a Reset.
func (e Event) Key() []Value {
	if e.New != nil {
		return e.keyIn(e.New)
	}
	return e.keyIn(e.Old)
}

// OldKey returns the values of the row's key before the change; nil for an
// insert and a Reset. It differs from [Event.Key] if the row was given another.
func (e Event) OldKey() []Value { return e.keyIn(e.Old) }

func (e Event) keyIn(row Row) []Value {
	if row == nil || e.Table == nil {
		return nil
	}
	if ws := e.watchers(); len(ws) > 0 {
		return ws[0].keyIn(row)
	}
	return row[:min(len(e.Table.Key), len(row))] // of a join table
}

// keyIn returns the values of the watcher's key in a row of its table.
func (w *watched) keyIn(row Row) []Value {
	key := make([]Value, len(w.key))
	for i, column := range w.key {
		key[i] = row[placeOf(w.table, column)]
	}
	return key
}

// Value returns what a column of the key, or one that travels with the change,
// holds after the change, or held before a deletion. It may be named by the
// column or by the field that stands for it. It is false for a column that does
// not travel and for a Reset.
func (e Event) Value(column string) (Value, bool) {
	if e.New != nil {
		return e.valueIn(e.New, column)
	}
	return e.valueIn(e.Old, column)
}

// OldValue is [Event.Value] before the change; false for an insert.
func (e Event) OldValue(column string) (Value, bool) { return e.valueIn(e.Old, column) }

func (e Event) valueIn(row Row, name string) (Value, bool) {
	if row == nil {
		return Value{}, false
	}
	for _, w := range e.watchers() {
		column, ok := w.column(name)
		if ok && w.travels(column) {
			return row[placeOf(w.table, column)], true
		}
	}
	return Value{}, false
}

// Values returns the key and everything else that travels with the change, by
// the names that the program gives the columns: as it is after the change, or
// was before a deletion. It is nil for a Reset.
func (e Event) Values() map[string]Value {
	if e.New != nil {
		return e.valuesIn(e.New)
	}
	return e.valuesIn(e.Old)
}

// OldValues is [Event.Values] before the change; nil for an insert.
func (e Event) OldValues() map[string]Value { return e.valuesIn(e.Old) }

func (e Event) valuesIn(row Row) map[string]Value {
	if row == nil || e.Table == nil {
		return nil
	}
	out := map[string]Value{}
	for _, w := range e.watchers() {
		for _, column := range slices.Concat(e.Table.Key, e.Table.Columns) {
			if w.travels(column) {
				out[w.field(column)] = row[placeOf(w.table, column)]
			}
		}
	}
	return out
}

// watchers are those that tell of the event: the label's, or those of its
// table that have no label.
func (e Event) watchers() []*watched {
	switch {
	case e.watcher != nil:
		return []*watched{e.watcher}
	case e.client == nil:
		return nil
	}
	var out []*watched
	for _, w := range e.client.schema.unlabelled[e.Table] {
		if w.ops.Has(e.Op) {
			out = append(out, w)
		}
	}
	return out
}

// Scan reads a value of the change into dst, a pointer to any type that pgx can
// read the column's type into; a null needs a type that can hold it, such as a
// pointer. Column and moment are those of [Event.Value].
func (e Event) Scan(column string, dst any) error {
	if e.New != nil {
		return e.scan(e.New, column, dst)
	}
	return e.scan(e.Old, column, dst)
}

// ScanOld is [Event.Scan] before the change.
func (e Event) ScanOld(column string, dst any) error { return e.scan(e.Old, column, dst) }

// A pgtype.Map caches its plans without a lock, so each user takes one of its own.
var scanners = sync.Pool{New: func() any { return pgtype.NewMap() }}

func (e Event) scan(row Row, name string, dst any) error {
	value, ok := e.valueIn(row, name)
	if !ok {
		if row == nil {
			return fmt.Errorf("scan %s: %s carries no such row", name, e)
		}
		return fmt.Errorf("scan %s: no such column travels with %s; those that do: %s: name it in ExtraColumns of the Watch", name, e, strings.Join(e.names(), ", "))
	}
	if p := reflect.ValueOf(dst); p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("scan %s: %T is no pointer to a variable", name, dst)
	}
	m, _ := scanners.Get().(*pgtype.Map)
	defer scanners.Put(m)
	var text []byte
	if !value.Null {
		text = []byte(value.Text)
	}
	if err := m.Scan(e.typeOf(name), pgtype.TextFormatCode, text, dst); err != nil {
		return fmt.Errorf("scan %s: %w", name, err)
	}
	return nil
}

// typeOf returns the type of a column that travels.
func (e Event) typeOf(name string) uint32 {
	for _, w := range e.watchers() {
		if column, ok := w.column(name); ok {
			return w.found.Column(column).OID
		}
	}
	return 0
}

// names lists what travels with the event.
func (e Event) names() []string {
	var names []string
	for name := range e.Values() {
		names = append(names, name)
	}
	for name := range e.OldValues() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Is reports whether the event is one that the target means: a change of a
// watcher, and of one of the rows if the target names any. A Reset is none.
func (e Event) Is(t Target) bool {
	if e.Reset != nil || e.client == nil || e.Label != t.label {
		return false
	}
	a, err := e.client.aim(t)
	if err != nil || a.item.Table.Capture != e.Table || !a.ops.Has(e.Op) {
		return false
	}
	return a.item.Matches(e.Old) || a.item.Matches(e.New)
}
