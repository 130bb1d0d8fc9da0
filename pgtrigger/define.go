package pgtrigger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/catalog"
)

// Bounds of one entry, in bytes.
const (
	maxEntry   = 128 << 20 // beyond: keys unknown; a message of the protocol ends at 1 GB
	maxSmall   = 16_000    // in memory, below which it is worth trying a payload
	maxPayload = 7_900     // NOTIFY takes less than 8,000
)

// definition is how one table is captured: the trigger function, made for its
// columns, and the triggers. Its hash names them, so that equal definitions
// share them and different ones stand side by side.
type definition struct {
	table *capture.Table
	hash  string // 16 hexadecimal digits
	id    int64  // the same as a number: journal.def
	// columns are the captured columns in the order of the entries: the key,
	// then the others sorted, so that their order in table does not matter.
	columns []string
	// places says where in a Row the value of each of columns belongs.
	places []int

	function string   // the DDL of the function
	body     string   // what pg_proc.prosrc shows once it is there
	triggers []string // the DDL of the triggers, one for each of triggerOps
}

// keys is how many of the columns are the key.
func (d *definition) keys() int { return len(d.table.Key) }

// functionName is the name of the trigger function, without its schema.
func (d *definition) functionName() string { return "capture_" + d.hash }

// triggerName is the name of the trigger for the operation.
func (d *definition) triggerName(op string) string { return "rowsync_" + d.hash + "_" + op }

// triggerOps are the operations that have a trigger each.
var triggerOps = []string{"insert", "update", "delete", "truncate"}

// define makes the definition for a table; columns come from the catalog.
func define(n names, table *capture.Table, columns *catalog.Table, maxRows int, bell bool) (*definition, error) {
	d := &definition{table: table}
	d.order()
	settings := settingsFor(d.columns, columns)
	// The hash covers all the SQL, made with a hash of zeros.
	d.hash = strings.Repeat("0", 16)
	if err := d.render(n, settings, maxRows, bell); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(d.function + strings.Join(d.triggers, "")))
	d.hash, d.id = hex.EncodeToString(sum[:8]), int64(binary.BigEndian.Uint64(sum[:8]))
	if err := d.render(n, settings, maxRows, bell); err != nil {
		return nil, err
	}
	return d, nil
}

// order sets columns and places.
func (d *definition) order() {
	t := d.table
	d.columns = slices.Concat(t.Key, slices.Sorted(slices.Values(t.Columns)))
	for i, name := range d.columns {
		place := i
		if i >= len(t.Key) {
			place = len(t.Key) + slices.Index(t.Columns, name)
		}
		d.places = append(d.places, place)
	}
}

// render sets function, body and triggers from the hash and the columns.
func (d *definition) render(n names, settings []string, maxRows int, bell bool) error {
	values, columns := make([]string, len(d.columns)), make([]string, len(d.columns))
	for i, name := range d.columns {
		columns[i] = ident(name)
		values[i] = "r." + columns[i] + "::text"
	}
	data := struct {
		names
		ID                                               int64
		Function, Table, Values, Names, Body, Comment    string
		Settings                                         []string
		Bell                                             bool
		MaxRows, MaxBytes, MaxSmall, MaxPayload, KeyMask int
		Trigger                                          func(op string) string
	}{
		names:    n,
		ID:       d.id,
		Function: ident(n.namespace, d.functionName()),
		Table:    ident(d.table.Schema, d.table.Name),
		Values:   strings.Join(values, ", "),
		Names:    strings.Join(columns, ", "),
		Settings: settings,
		Bell:     bell,
		MaxRows:  maxRows, MaxBytes: maxEntry, MaxSmall: maxSmall, MaxPayload: maxPayload, KeyMask: keyMask,
		Trigger: func(op string) string { return ident(d.triggerName(op)) },
	}
	var err error
	if data.Comment, err = d.comment(n); err != nil {
		return err
	}
	if d.body, err = render("body.sql", data); err != nil {
		return err
	}
	data.Body = d.body
	if d.function, err = render("capture.sql", data); err != nil {
		return err
	}
	triggers, err := render("triggers.sql", data)
	d.triggers = strings.SplitAfter(strings.TrimSuffix(triggers, "\n"), ";\n")
	return err
}

// format is the version of what stands in the database: the tables of the
// namespace and the meaning of an entry.
const format = 1

// comment says who made an object, for people and for cleaning up.
func (d *definition) comment(n names) (string, error) {
	text, err := json.Marshal(struct {
		Format     int      `json:"rowsync"`
		Namespace  string   `json:"namespace"`
		Definition string   `json:"definition"`
		Schema     string   `json:"schema"`
		Table      string   `json:"table"`
		Key        []string `json:"key"`
		Columns    []string `json:"columns"`
	}{format, n.namespace, d.hash, d.table.Schema, d.table.Name, d.table.Key, d.columns[d.keys():]})
	if err != nil {
		return "", fmt.Errorf("describe %s: %w", d.table, err)
	}
	return string(text), nil
}
