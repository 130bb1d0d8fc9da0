package rowsync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// watched is a watcher of one table: first as it was described, and then, by
// resolve and bind, with what the database has of it.
type watched struct {
	watch Watch
	made  string // names it in messages
	model *model.Model
	name  catalog.Name
	ops   Op
	// whole says that WatchModel made it: every column that a watched path
	// needs travels with its changes.
	whole bool
	// prefixed says that Labelled made it.
	prefixed bool
	// wrong says that it was described with mistakes, so that it never runs.
	wrong bool

	// resolve sets these.
	found *catalog.Table
	key   []string // the columns that identify a row
	extra []string // further columns that travel, without those of key
	// triggers are the trigger columns, associations the association columns.
	triggers, associations []string

	// bind sets these.
	index  *route.Index
	table  *route.Table
	places []place // of triggers
}

// place is where a trigger column stands in the table's rows.
type place struct {
	at int
	// numeric says that equal values can differ in their text: 1.5 and 1.50.
	numeric bool
}

// named is what messages and logs call the watcher: its label, or its model and
// operations.
func (w *watched) named() string {
	if w.watch.Label != "" {
		return w.watch.Label
	}
	return fmt.Sprintf("(%s, %s)", w.model.Type.Name(), past(w.ops))
}

// past says of a set of operations what happened.
func past(ops Op) string {
	words := []string{}
	for _, o := range []struct {
		op   Op
		word string
	}{{Inserted, "inserted"}, {Updated, "updated"}, {Deleted, "deleted"}} {
		if ops.Has(o.op) {
			words = append(words, o.word)
		}
	}
	return strings.Join(words, "|")
}

// resolve finds the watcher's columns in its table. bare are the columns that
// name a row of a join table without a primary key.
func (w *watched) resolve(t *catalog.Table, limit int, bare []string) error {
	w.found = t
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("watch %s: "+format, append([]any{w.made}, args...)...))
	}
	columns := func(option string, names []string) (found []string) {
		for _, name := range names {
			switch column, ok := w.column(name); {
			case !ok:
				wrong("option %s names %q, and table %s has no such column; it has: %s", option, name, t.Name, strings.Join(w.names(), ", "))
			case slices.Contains(found, column):
				wrong("option %s names column %q twice", option, column)
			default:
				found = append(found, column)
			}
		}
		return found
	}
	if label := w.watch.Label; len(label) > limit {
		wrong("option Label is %d bytes longer than the %d that a name may have in PostgreSQL", len(label)-limit, limit)
	}
	for _, field := range slices.Sorted(maps.Keys(w.watch.Fields)) {
		if column := w.watch.Fields[field]; column != "" && t.Column(column) == nil {
			wrong("option Fields maps %q to %q, and table %s has no such column; it has: %s", field, column, t.Name, strings.Join(t.ColumnNames(), ", "))
		}
		if t.Column(field) != nil && w.field(field) == field && w.watch.Fields[field] != field {
			wrong("option Fields maps %q to another column, and there is a column %q that would have no name of its own then: give that one a name in Fields too", field, field)
		}
	}
	switch {
	case len(w.watch.Key) > 0:
		w.key = columns("Key", w.watch.Key)
	case w.model != nil:
		w.key = columns("Model", columnNames(w.model.Key))
	case len(t.Key) > 0:
		w.key = t.Key
	case len(bare) > 0:
		w.key = bare
	default:
		wrong("table %s has no primary key: name the columns that identify a row in Key, or add one (alter table %s add primary key …)", t.Name, t.Name)
	}
	w.triggers = columns("TriggerColumns", w.watch.TriggerColumns)
	for _, c := range columns("ExtraColumns", w.watch.ExtraColumns) {
		if !slices.Contains(w.key, c) {
			w.extra = append(w.extra, c)
		}
	}
	w.associations = columns("AssociationColumns", w.watch.AssociationColumns)
	for _, c := range t.Columns {
		if c.Refers && !slices.Contains(w.associations, c.Name) {
			w.associations = append(w.associations, c.Name)
		}
	}
	if w.model != nil {
		for _, a := range w.model.Associations {
			if a.Kind == model.BelongsTo {
				w.associations = append(w.associations, columnNames(a.OwnerColumns)...)
			}
		}
		slices.Sort(w.associations)
		w.associations = slices.Compact(w.associations)
	}
	return errors.Join(errs...)
}

// column returns the column that a name stands for.
func (w *watched) column(name string) (string, bool) {
	if c, ok := w.watch.Fields[name]; ok {
		return c, w.found.Column(c) != nil
	}
	if w.found.Column(name) != nil {
		return name, true
	}
	if w.model == nil {
		return "", false
	}
	column := ""
	for _, c := range w.model.Columns {
		field := c.Field[strings.LastIndexByte(c.Field, '.')+1:]
		switch {
		case c.Field == name:
			return c.Name, w.found.Column(c.Name) != nil
		case field == name && column != "":
			return "", false // in two embedded structs
		case field == name:
			column = c.Name
		}
	}
	return column, column != "" && w.found.Column(column) != nil
}

// field returns what the program calls a column.
func (w *watched) field(column string) string {
	for _, f := range slices.Sorted(maps.Keys(w.watch.Fields)) {
		if w.watch.Fields[f] == column {
			return f
		}
	}
	return column
}

// names lists what the columns may be called.
func (w *watched) names() []string {
	names := make([]string, len(w.found.Columns))
	for i, c := range w.found.Columns {
		names[i] = c.Name
		if f := w.field(c.Name); f != c.Name {
			names[i] = fmt.Sprintf("%s (%s)", f, c.Name)
		}
	}
	return names
}

// bind enters the watcher into the captured table.
func (w *watched) bind(x *route.Index, t *route.Table) {
	w.index, w.table = x, t
	x.AddLookup(t, w.key)
	for _, c := range slices.Concat(w.key, w.extra) {
		if slices.Contains(w.associations, c) {
			x.AddLookup(t, []string{c})
		}
	}
	for _, c := range w.triggers {
		w.places = append(w.places, place{placeOf(t, c), w.found.Column(c).OID == pgtype.NumericOID})
	}
}

// placeOf returns the place of any captured column in the table's rows.
func placeOf(t *route.Table, column string) int {
	if p, ok := t.Place(column); ok {
		return p
	}
	return len(t.Capture.Key) + len(t.Capture.Columns) + slices.Index(t.Capture.Compared, column)
}

// travels reports whether a column's value comes with the watcher's changes.
func (w *watched) travels(column string) bool {
	if slices.Contains(w.key, column) || slices.Contains(w.extra, column) {
		return true
	}
	if !w.whole {
		return false
	}
	_, ok := w.table.Place(column)
	return ok
}

// tells reports whether the watcher tells of the change.
func (w *watched) tells(c *Change) bool {
	if !w.ops.Has(c.Op) {
		return false
	}
	return len(w.places) == 0 || slices.ContainsFunc(w.places, func(p place) bool {
		return c.Old[p.at] != c.New[p.at] && (!p.numeric || !w.table.Same(p.at, c.Old, c.New))
	})
}

// associates reports whether the watcher's rows refer to others by a column.
func (w *watched) associates(column string) bool {
	if slices.Contains(w.associations, column) {
		return true
	}
	if slices.Equal(w.key, []string{column}) {
		return false
	}
	// A path may lead here through an association of another model.
	_, ok := w.index.Lookup(w.table, []string{column})
	return (w.whole || w.prefixed) && ok
}

// associatesBy says by which columns it could be subscribed.
func (w *watched) associatesBy() string {
	if len(w.associations) > 0 {
		return "it refers by " + strings.Join(w.associations, ", ")
	}
	if w.model != nil {
		return "it has none"
	}
	return "it has none: name those that have no foreign key in AssociationColumns"
}
