package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/internal/catalog"
)

// Watched is tables as a Client watches them.
type Watched struct {
	Watchers rowsync.Watchers
	// Targets are all their rows that are meant.
	Targets []rowsync.Target
	// Shown is what the lines of each watcher are about.
	Shown []Shown
	// Captured is what a Source captures for the watchers.
	Captured []*rowsync.Table
}

// Shown is what is shown of the changes of a watcher.
type Shown struct {
	Label, Schema, Table string
	Key, Columns         []string
}

// Find finds the tables in the database. Tables for which no columns are given
// get all they have if every is true. What is wrong with the arguments comes
// back together, as a [*cli.UsageError].
func Find(ctx context.Context, pool *pgxpool.Pool, list []*Table, every bool) (*Watched, error) {
	names := make([]catalog.Name, len(list))
	for i, t := range list {
		names[i] = catalog.Name{Schema: t.Schema, Table: t.Name}
	}
	found, err := catalog.Load(ctx, pool, distinct(names))
	if err != nil {
		return nil, err
	}
	w := &Watched{}
	var errs []error
	for i, t := range list {
		if found[names[i]] == nil {
			errs = append(errs, missing(ctx, pool, t))
			continue
		}
		if err := w.add(ctx, pool, t, found[names[i]], every); err != nil {
			errs = append(errs, fmt.Errorf("--table %s: %w", t, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, blame(ctx, err)
	}
	w.Captured, err = captured(ctx, pool, w.Watchers)
	return w, blame(ctx, err)
}

// distinct leaves each name in the list once.
func distinct(names []catalog.Name) (once []catalog.Name) {
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// blame makes an error that the server or the connection is not to blame for one
// of usage.
func blame(ctx context.Context, err error) error {
	var (
		server  *pgconn.PgError
		connect *pgconn.ConnectError
	)
	if err == nil || ctx.Err() != nil || errors.As(err, &server) || errors.As(err, &connect) || pgconn.SafeToRetry(err) {
		return err
	}
	return &cli.UsageError{Err: err}
}

// missing says that there is no such table, and what there is that looks alike.
func missing(ctx context.Context, pool *pgxpool.Pool, t *Table) error {
	rows, err := pool.Query(ctx, `
		select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
			and (lower(c.relname) = lower($1) or n.nspname = $2)
		order by lower(c.relname) <> lower($1), n.nspname, c.relname limit 11`, t.Name, t.Schema)
	if err != nil {
		return err
	}
	alike, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var other Table
		err := row.Scan(&other.Schema, &other.Name)
		return other.String(), err
	})
	switch {
	case err != nil:
		return err
	case len(alike) == 0:
		return fmt.Errorf("--table %s: there is no such table", t)
	case len(alike) > 10:
		alike[10] = "…"
	}
	return fmt.Errorf("--table %s: there is no such table; there are: %s", t, strings.Join(alike, ", "))
}

// add adds a table, or returns what is wrong with what the arguments say of it.
func (w *Watched) add(ctx context.Context, pool *pgxpool.Pool, t *Table, found *catalog.Table, every bool) error {
	if err := checkColumns(t, found); err != nil {
		return err
	}
	key := t.Key
	if len(key) == 0 {
		key = found.Key
	}
	if len(key) == 0 {
		return fmt.Errorf("it has no primary key: name the columns that identify a row with --key; it has: %s", quoteAll(found.ColumnNames()))
	}
	if every && !t.ColumnsGiven {
		t.Columns = slices.DeleteFunc(found.ColumnNames(), func(name string) bool { return slices.Contains(key, name) })
	}
	watch := rowsync.Watch{
		Schema: t.Schema, Table: t.Name, Key: t.Key, On: t.On, TriggerColumns: t.Changed,
		ExtraColumns: slices.Clone(t.Columns), Label: fmt.Sprintf("--table %d", len(w.Watchers)+1),
	}
	for _, row := range t.Rows {
		target := rowsync.Label(watch.Label)
		if row.Key != nil {
			values, err := checkKey(ctx, pool, found, key, row.Key)
			if err != nil {
				return err
			}
			w.Targets = append(w.Targets, target.Key(values...))
			continue
		}
		var value any
		if row.Value != nil {
			text, err := checkValue(ctx, pool, found.Column(row.Column), *row.Value)
			if err != nil {
				return fmt.Errorf("--where %s: %w", quote(row.Column), err)
			}
			value = text
		}
		w.Targets = append(w.Targets, target.Where(row.Column, value))
		// A person may choose rows by any column, not only by one that refers to others.
		watch.AssociationColumns = addOnce(watch.AssociationColumns, row.Column)
		if !slices.Contains(key, row.Column) {
			watch.ExtraColumns = addOnce(watch.ExtraColumns, row.Column)
		}
	}
	if len(t.Rows) == 0 {
		w.Targets = append(w.Targets, rowsync.Label(watch.Label))
	}
	t.Columns = watch.ExtraColumns
	w.Watchers = append(w.Watchers, watch)
	w.Shown = append(w.Shown, Shown{watch.Label, t.Schema, t.Name, key, t.Columns})
	return nil
}

func addOnce(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// checkColumns returns which of the names are no columns.
func checkColumns(t *Table, found *catalog.Table) error {
	var errs []error
	check := func(flag string, names ...string) {
		for i, name := range names {
			switch {
			case found.Column(name) == nil:
				errs = append(errs, fmt.Errorf("%s: it has no column %q; it has: %s", flag, name, quoteAll(found.ColumnNames())))
			case slices.Contains(names[:i], name):
				errs = append(errs, fmt.Errorf("%s: column %q is named twice", flag, name))
			}
		}
	}
	check("--key", t.Key...)
	check("--columns", t.Columns...)
	check("--changed", t.Changed...)
	for _, row := range t.Rows {
		if row.Key == nil {
			check("--where", row.Column)
		}
	}
	return errors.Join(errs...)
}

func checkKey(ctx context.Context, pool *pgxpool.Pool, found *catalog.Table, key, texts []string) ([]any, error) {
	if len(texts) != len(key) {
		return nil, fmt.Errorf("--where-key has %d values: give one for each column of the key, %s, with commas between them; a value with a comma goes in double quotes", len(texts), quoteAll(key))
	}
	values := make([]any, len(key))
	for i, text := range texts {
		value, err := checkValue(ctx, pool, found.Column(key[i]), text)
		if err != nil {
			return nil, fmt.Errorf("--where-key: column %s: %w", quote(key[i]), err)
		}
		values[i] = value
	}
	return values, nil
}

// asCaptured are the settings under which values are captured as text.
const asCaptured = `set local DateStyle = 'ISO, YMD'; set local TimeZone = 'UTC'; set local IntervalStyle = 'postgres';
	set local extra_float_digits = 1; set local bytea_output = 'hex'`

// What the server says to values that are none of the type, and to those that
// a domain refuses (SQLSTATE, or its class).
const (
	dataException  = "22"
	checkViolation = "23514"
)

// checkValue returns a value as the database writes it, or what is wrong with
// it, before anything is installed.
func checkValue(ctx context.Context, pool *pgxpool.Pool, column *catalog.Column, text string) (value string, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, asCaptured); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "select ($1::text)::"+column.Type+"::text", text).Scan(&value)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (strings.HasPrefix(refused.Code, dataException) || refused.Code == checkViolation) {
		return "", errors.New(refused.Message)
	}
	return value, err
}
