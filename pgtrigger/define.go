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
	maxInline  = 1_500     // beyond: it may be stored beside the journal's pages
)

// definition is how one table is captured: the trigger function, made for its
// columns, and the triggers. Its hash names them, so that equal definitions
// share them and different ones stand side by side.
type definition struct {
	table *capture.Table
	way   way
	hash  string // 16 hexadecimal digits
	id    int64  // the same as a number: journal.def
	// columns are the captured columns in the order of the entries: the key,
	// then those of Columns and those of Compared, each sorted, so that their
	// order in table does not matter.
	columns []string
	// places says where in a Row the value of each of columns belongs. With
	// way.moves there is one more, for what says how a row moved.
	places []int
	// ops are the operations that have a trigger each: of triggerOps.
	ops []string

	function string // the DDL of the function
	body     string // what pg_proc.prosrc shows once it is there
}

// way is how the changes of a table are seen.
type way struct {
	// rows: by row triggers, where statement triggers do not see everything.
	rows bool
	// moves: the table is partitioned, so that an UPDATE may move a row, which
	// PostgreSQL makes a DELETE and an INSERT of.
	moves bool
	// always: whatever session_replication_role is, see [Options.Always].
	always bool
}

// keys is how many of the columns are the key.
func (d *definition) keys() int { return len(d.table.Key) }

// functionName is the name of the trigger function, without its schema.
func (d *definition) functionName() string { return "capture_" + d.hash }

// triggerName is the name of the trigger for the operation.
func (d *definition) triggerName(op string) string { return "rowsync_" + d.hash + "_" + op }

// triggerNames are the names of the triggers on the table.
func (d *definition) triggerNames() []string {
	list := make([]string, len(d.ops))
	for i, op := range d.ops {
		list[i] = d.triggerName(op)
	}
	return list
}

// triggerOps are the operations that may have a trigger each.
var triggerOps = []string{"insert", "update", "delete", "truncate"}

// define makes the definition for a table; columns come from the catalog.
func (s *Source) define(table *capture.Table, columns *catalog.Table, w way) (*definition, error) {
	d := &definition{table: table, way: w}
	d.order()
	for i, op := range []capture.Op{capture.Insert, capture.Update, capture.Delete, capture.Truncate} {
		// Of a row that moved, only both of its halves together tell that it did.
		if table.Captures(op) || w.moves && op != capture.Update {
			d.ops = append(d.ops, triggerOps[i])
		}
	}
	// The hash covers all the SQL, made with a hash of zeros.
	d.hash = strings.Repeat("0", 16)
	if err := d.render(s, columns); err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write([]byte(d.function))
	for _, op := range d.ops {
		ddl, err := d.trigger(s.names, op, d.table.Schema, d.table.Name, "create trigger")
		if err != nil {
			return nil, err
		}
		sum.Write([]byte(ddl))
	}
	digest := sum.Sum(nil)
	d.hash, d.id = hex.EncodeToString(digest[:8]), int64(binary.BigEndian.Uint64(digest[:8]))
	if err := d.render(s, columns); err != nil {
		return nil, err
	}
	return d, nil
}

// order sets columns and places.
func (d *definition) order() {
	t := d.table
	place := 0
	for _, list := range [][]string{t.Key, t.Columns, t.Compared} {
		sorted := list
		if place > 0 {
			sorted = slices.Sorted(slices.Values(list))
		}
		for _, name := range sorted {
			d.columns = append(d.columns, name)
			d.places = append(d.places, place+slices.Index(list, name))
		}
		place += len(list)
	}
	if d.way.moves {
		d.places = append(d.places, place)
	}
}

// render sets function and body from the hash and the columns.
func (d *definition) render(s *Source, columns *catalog.Table) error {
	n := s.names
	list := make([]string, len(d.columns))
	for i, name := range d.columns {
		list[i] = ident(name)
	}
	data := struct {
		names
		ID                                               int64
		Function, Names, Body, Comment                   string
		Values, Old, New                                 string // of the columns: of a row r, of OLD and of NEW
		Settings                                         []string
		Rows, Bell, OnlyChanged                          bool
		MaxRows, MaxBytes, MaxSmall, MaxPayload, KeyMask int
		MaxInline                                        int
		MaxJournal, MaxBlock                             int64
	}{
		names:    n,
		ID:       d.id,
		Function: ident(n.namespace, d.functionName()),
		Names:    strings.Join(list, ", "),
		Values:   d.values("r", columns),
		Old:      d.values("old", columns),
		New:      d.values("new", columns),
		Settings: settingsFor(d.columns, columns),
		Rows:     d.way.rows, OnlyChanged: d.table.OnlyChanged,
		Bell:    !s.opts.NoBell,
		MaxRows: s.opts.MaxRows, MaxBytes: maxEntry, MaxSmall: maxSmall, MaxPayload: maxPayload, KeyMask: keyMask,
		MaxInline: maxInline, MaxJournal: s.opts.MaxJournal, MaxBlock: s.opts.MaxJournal / blockSize,
	}
	var err error
	if data.Comment, err = d.comment(n); err != nil {
		return err
	}
	if d.body, err = render("body.sql", data); err != nil {
		return err
	}
	data.Body = d.body
	d.function, err = render("capture.sql", data)
	return err
}

// trigger returns the DDL of the trigger for an operation on the table or on one
// that belongs to it; create is how it begins.
func (d *definition) trigger(n names, op, schema, table, create string) (string, error) {
	return render("trigger.sql", struct {
		Create, Name, Op, On, Function string
		Rows, Always                   bool
	}{
		create, ident(d.triggerName(op)), op, ident(schema, table), ident(n.namespace, d.functionName()),
		d.way.rows && op != "truncate", d.way.always,
	})
}

// format is the version of what stands in the database: the tables of the
// namespace and the meaning of an entry.
const format = 1

// comment says who made an object, for people and for cleaning up.
func (d *definition) comment(n names) (string, error) {
	extra, ops := d.keys()+len(d.table.Columns), ""
	if d.table.Ops != 0 {
		ops = d.table.Ops.String()
	}
	text, err := json.Marshal(struct {
		Format     int      `json:"rowsync"`
		Namespace  string   `json:"namespace"`
		Definition string   `json:"definition"`
		Schema     string   `json:"schema"`
		Table      string   `json:"table"`
		Key        []string `json:"key"`
		Columns    []string `json:"columns"`
		Compared   []string `json:"compared,omitempty"`
		Ops        string   `json:"ops,omitempty"`
	}{format, n.namespace, d.hash, d.table.Schema, d.table.Name, d.table.Key, d.columns[d.keys():extra], d.columns[extra:], ops})
	if err != nil {
		return "", fmt.Errorf("describe %s: %w", d.table, err)
	}
	return string(text), nil
}
