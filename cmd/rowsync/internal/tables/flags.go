// Package tables reads from the arguments which tables are meant, and what of
// them, and finds them in the database.
package tables

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// Table is what the arguments say of one table.
type Table struct {
	Schema, Name string
	// Key names the columns that identify a row; none: the primary key.
	Key []string
	// Columns travel beside the key, if ColumnsGiven.
	Columns      []string
	ColumnsGiven bool
	// On is the operations; 0: all, or with Changed updates.
	On rowsync.Op
	// Changed narrows updates to those that change one of these columns.
	Changed []string
	// Rows are the rows that are meant; none: all.
	Rows []Row
}

// Row names rows: one by its key, or those that hold a value in a column.
type Row struct {
	Key    []string
	Column string
	Value  *string // nil: null
}

// String returns the name of the table, quoted where [Flags] needs that.
func (t *Table) String() string { return quote(t.Schema) + "." + quote(t.Name) }

// Flags takes the flags that name tables: --table, and those that belong to the
// --table before them.
type Flags struct{ list []*Table }

// Register adds the flags.
func (f *Flags) Register(flags *flag.FlagSet) {
	flags.Func("table", "a table, `schema.name` or name, as it is written in the database; repeatable.\nNames with dots go in double quotes: '\"a.b\".\"c\"'", f.addTable)
	f.add(flags, "columns", "of the table before: these `columns` travel with its changes, such as a,b", func(t *Table, text string) (err error) {
		t.Columns, err = parseColumns(text)
		t.ColumnsGiven = true
		return err
	})
	f.add(flags, "key", "of the table before: the `columns` that identify a row, for want of a primary key", func(t *Table, text string) (err error) {
		t.Key, err = parseColumns(text)
		return err
	})
	f.add(flags, "on", "of the table before: its `operations`, such as insert,delete; without it, all", func(t *Table, text string) (err error) {
		t.On, err = parseOps(text)
		return err
	})
	f.add(flags, "changed", "of the table before: only updates that change the value of one of these `columns`", func(t *Table, text string) (err error) {
		t.Changed, err = parseColumns(text)
		return err
	})
}

// RegisterRows adds the flags that name rows.
func (f *Flags) RegisterRows(flags *flag.FlagSet) {
	f.add(flags, "where-key", "of the table before: only the row with this `key`; of several columns: 1,x or 1,\"x,y\".\nRepeated, and with --where: the rows that meet any of them", func(t *Table, text string) error {
		parts, err := split(text, ',')
		if err != nil {
			return err
		}
		var row Row
		for _, p := range parts {
			row.Key = append(row.Key, p.text)
		}
		t.Rows = append(t.Rows, row)
		return nil
	})
	f.add(flags, "where", "of the table before: only rows that hold a value, `column=value` or column=null,\nbefore the change or after it", func(t *Table, text string) error {
		row, err := parseWhere(text)
		t.Rows = append(t.Rows, row)
		return err
	})
}

func (f *Flags) addTable(text string) error {
	schema, name, err := parseName(text)
	f.list = append(f.list, &Table{Schema: schema, Name: name})
	return err
}

// add adds a flag that belongs to the table before it.
func (f *Flags) add(flags *flag.FlagSet, name, usage string, set func(t *Table, text string) error) {
	type given struct {
		table *Table
		flag  string
	}
	seen := map[given]bool{}
	flags.Func(name, usage, func(text string) error {
		if len(f.list) == 0 {
			return errors.New("it stands before any --table: name the table first")
		}
		t := f.list[len(f.list)-1]
		if seen[given{t, name}] && !strings.HasPrefix(name, "where") {
			return fmt.Errorf("it is given twice for table %s: give one list, with commas", t)
		}
		seen[given{t, name}] = true
		return set(t, text)
	})
}

// Tables returns what the flags said, or what is wrong with that.
func (f *Flags) Tables() ([]*Table, error) {
	var errs []error
	for _, t := range f.list {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("--table %s: "+format, append([]any{t}, args...)...))
		}
		if len(t.Changed) > 0 && t.On != 0 && t.On != rowsync.Updated {
			wrong("--changed goes with updates only: leave out --on, and name the table once more for other operations")
		}
		for _, row := range t.Rows {
			if row.Key != nil && t.On == rowsync.Inserted {
				wrong("--where-key with --on insert: a row has no key before it is inserted; use --where, or all rows")
				break
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	return f.list, nil
}

// parseOps reads a list of operations.
func parseOps(text string) (ops rowsync.Op, err error) {
	for name := range strings.SplitSeq(text, ",") {
		found := false
		for _, op := range []rowsync.Op{rowsync.Inserted, rowsync.Updated, rowsync.Deleted} {
			if strings.TrimSpace(name) == op.String() {
				ops, found = ops|op, true
			}
		}
		if !found {
			return 0, fmt.Errorf("%q is no operation: give some of insert,update,delete", name)
		}
	}
	return ops, nil
}

// parseWhere reads column=value.
func parseWhere(text string) (Row, error) {
	column, value, err := cut(text, '=')
	switch {
	case err != nil:
		return Row{}, err
	case value == nil || column.text == "":
		return Row{}, errors.New("give column=value, or column=null")
	case *value == "null":
		return Row{Column: column.text}, nil
	case !strings.HasPrefix(*value, `"`):
		return Row{Column: column.text, Value: value}, nil
	}
	quoted, rest, err := cut(*value, 0)
	if err != nil || rest != nil {
		return Row{}, fmt.Errorf("value %s: close its quote at the end, and write a quote within quotes twice", *value)
	}
	return Row{Column: column.text, Value: &quoted.text}, nil
}

// Args returns arguments that mean the same tables, columns and operations.
func Args(list []*Table) []string {
	var args []string
	for _, t := range list {
		args = append(args, "--table", t.String())
		if len(t.Key) > 0 {
			args = append(args, "--key", quoteAll(t.Key))
		}
		if len(t.Columns) > 0 {
			args = append(args, "--columns", quoteAll(t.Columns))
		}
		if t.On != 0 {
			args = append(args, "--on", strings.ReplaceAll(t.On.String(), "|", ","))
		}
		if len(t.Changed) > 0 {
			args = append(args, "--changed", quoteAll(t.Changed))
		}
	}
	return args
}
