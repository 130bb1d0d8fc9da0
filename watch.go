package rowsync

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/internal/catalog"
)

// Watch is a watcher of one table: it tells subscribers which rows were
// inserted, updated or deleted. It needs Model, or else Table and Label; all
// other fields may be left zero.
//
// Columns may be named by the column or by the field that stands for it.
type Watch struct {
	// Model is a value of the struct type whose model's table is watched, such
	// as User{}, or a pointer to one; its contents do not matter. For a table without a model leave
	// it nil and set Table.
	Model any

	// Schema and Table name a table without a model, just as they are written
	// in the database and without quotes. Schema defaults to "public".
	Schema, Table string
	// Key names the columns that identify a row of a table without a model.
	// Defaults to the table's primary key.
	Key []string
	// AssociationColumns names the columns of a table without a model by which
	// its rows refer to others. Columns with a foreign key in the database are
	// association columns without being named.
	AssociationColumns []string
	// Fields maps names of the program's own to the columns of a table without
	// a model.
	Fields map[string]string

	// On is the set of operations that are watched. Defaults to [AnyOp]; with
	// TriggerColumns to Updated, the only one that they go with.
	On Op
	// TriggerColumns narrow a watcher of updates to those that change the value
	// of one of these columns, whether the statement named it or a trigger of
	// the application changed it. They need a Label.
	TriggerColumns []string
	// ExtraColumns travel with each change beside the key, as they were before
	// it and as they are after it. Subscribing by a column needs it here.
	ExtraColumns []string

	// Label names the watcher. Without one it is named by its model and its
	// operations. No two watchers may have the same name.
	Label string
	// Debug logs what the watcher does at level Info, where otherwise it is
	// logged at level Debug: its start, each change, subscriptions.
	Debug bool
}

// draw implements [Watcher].
func (w Watch) draw(b *blueprint) error {
	bound := &watched{watch: w, made: w.String()}
	errs := append(w.drawTable(b, bound), w.drawOperations(bound)...)
	for _, field := range slices.Sorted(maps.Keys(w.Fields)) {
		if column := w.Fields[field]; field == "" || column == "" {
			errs = append(errs, fmt.Errorf("option Fields maps %q to %q: both need a name", field, column))
		}
	}
	if len(errs) == 0 {
		return b.addWatch(bound)
	}
	if bound.name.Table != "" {
		bound.wrong = true
		b.watches = append(b.watches, bound) // so that what the database finds wrong with it comes too
	}
	for i, err := range errs {
		errs[i] = fmt.Errorf("watch %s: %w", bound.made, err)
	}
	return errors.Join(errs...)
}

// drawTable finds the table, by the model or by its name.
func (w Watch) drawTable(b *blueprint, bound *watched) (errs []error) {
	switch {
	case w.Model == nil && w.Table == "":
		return []error{errors.New("neither Model nor Table is set: set Model to a value of a struct type, or Table and Label")}
	case w.Model == nil:
		bound.name = catalog.Name{Schema: w.Schema, Table: w.Table}
		if w.Schema == "" {
			bound.name.Schema = "public"
		}
		if w.Label == "" {
			errs = append(errs, errors.New("option Label is missing: a table without a model is subscribed to by label"))
		}
		return errs
	}
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"Schema", w.Schema != ""}, {"Table", w.Table != ""}, {"Key", len(w.Key) > 0},
		{"AssociationColumns", len(w.AssociationColumns) > 0}, {"Fields", len(w.Fields) > 0},
	} {
		if field.set {
			errs = append(errs, fmt.Errorf("option %s is set beside Model, which says it already: leave one of the two out", field.name))
		}
	}
	t := reflect.TypeOf(w.Model)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	m, err := modelOf(b.registry, t)
	if err != nil {
		return append(errs, err)
	}
	bound.model, bound.name = m, tableName(m)
	return errs
}

// drawOperations finds the operations, and checks what goes with them.
func (w Watch) drawOperations(bound *watched) (errs []error) {
	bound.ops = w.On
	switch {
	case w.On&^AnyOp != 0:
		errs = append(errs, fmt.Errorf("option On is %q: name Inserted, Updated, Deleted or several of them", w.On))
	case w.On == 0 && len(w.TriggerColumns) > 0:
		bound.ops = Updated
	case w.On == 0:
		bound.ops = AnyOp
	}
	if len(w.TriggerColumns) == 0 {
		return errs
	}
	if bound.ops != Updated {
		errs = append(errs, fmt.Errorf("option TriggerColumns goes with updates only, and On is %q: set On to Updated, and watch the rest apart", w.On))
	}
	if w.Label == "" {
		errs = append(errs, errors.New("option Label is missing: a watcher with TriggerColumns needs one, for its model and operation name the watcher of every update"))
	}
	return errs
}

// String names the watcher for messages: by its label, and its model or table.
func (w Watch) String() string {
	var parts []string
	if w.Label != "" {
		parts = append(parts, fmt.Sprintf("%q", w.Label))
	}
	switch {
	case w.Model != nil:
		parts = append(parts, "of "+reflect.TypeOf(w.Model).String())
	case w.Schema != "":
		parts = append(parts, "of "+w.Schema+"."+w.Table)
	case w.Table != "":
		parts = append(parts, "of "+w.Table)
	}
	if w.On != 0 {
		parts = append(parts, "for "+w.On.String())
	}
	if len(parts) == 0 {
		return "without fields"
	}
	return strings.Join(parts, " ")
}
