package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync"
)

// watchedRow is the model of the first table of the watchers' oracle.
type watchedRow struct {
	_      struct{} `rowsync:"table=t0"`
	ID     int64    `db:"id"`
	Parent *int64   `db:"parent"`
	A      *int64   `db:"a"`
	B      *string  `db:"b"`
	N      *string  `db:"n"`
}

// oracleTable is a random table: a key of some kind, a reference to a row of
// another table, and the columns a, b and n.
type oracleTable struct {
	name   string
	key    []string          // columns
	types  map[string]string // of key and parent
	parent *oracleTable
	parts  bool // whether it is partitioned
}

// oracleValues are the values that columns of a type hold, few so that they meet.
var oracleValues = map[string][]string{
	"bigint":  {"1", "2", "3", "4", "5", "6", "7", "-1", "-2", "-3"},
	"text":    {"", "a", "b,c", "NULL", "it's", `{"x\y"}`, "é", "A"},
	"uuid":    {"00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	"numeric": {"1.5", "1.50", "0", "-0.0", "12345678901234567890.123456789"},
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// some returns one or more of a list.
func some[T any](rng *rand.Rand, from []T) (out []T) {
	for _, i := range rng.Perm(len(from))[:1+rng.IntN(len(from))] {
		out = append(out, from[i])
	}
	return out
}

// oracleTables makes three tables, the first of which has a model.
func oracleTables(rng *rand.Rand) []*oracleTable {
	first := &oracleTable{name: "t0", key: []string{"id"}, types: map[string]string{"id": "bigint", "parent": "bigint"}}
	first.parent = first
	tables := []*oracleTable{first}
	for i := 1; i < 3; i++ {
		t := &oracleTable{name: fmt.Sprintf("t%d", i), types: map[string]string{}}
		for len(t.key) == 0 || len(t.key) < 3 && rng.IntN(2) == 0 {
			column := fmt.Sprintf("Key %d", len(t.key))
			t.key = append(t.key, column)
			t.types[column] = pick(rng, []string{"bigint", "text", "uuid"})
		}
		for t.parent == nil || len(t.parent.key) > 1 {
			t.parent = pick(rng, tables)
		}
		t.types["parent"] = t.parent.types[t.parent.key[0]]
		t.parts = rng.IntN(3) == 0
		tables = append(tables, t)
	}
	return tables
}

func quoted(columns []string) string {
	var out []string
	for _, c := range columns {
		out = append(out, pgx.Identifier{c}.Sanitize())
	}
	return strings.Join(out, ", ")
}

// sql creates the table, and the triggers that note each change of it.
func (o *oracleTable) sql(rng *rand.Rand) string {
	var columns []string
	for _, c := range o.key {
		columns = append(columns, quoted([]string{c})+" "+o.types[c])
	}
	partition, parts := "", ""
	if o.parts {
		partition = "partition by hash (" + quoted(o.key[:1]) + ")"
		for i := range 3 {
			parts += fmt.Sprintf("create table %[1]s_%[2]d partition of %[1]s for values with (modulus 3, remainder %[2]d);", o.name, i)
		}
	}
	return fmt.Sprintf(`create table %[1]s (%[2]s, parent %[3]s references %[4]s on update cascade on delete %[5]s, a bigint, b text, n numeric, primary key (%[6]s)) %[7]s;
		%[8]s
		create trigger z_audit after insert or update or delete on %[1]s for each row execute function audit(%[1]s);
		create trigger z_truncated after truncate on %[1]s for each statement execute function audit(%[1]s);`,
		o.name, strings.Join(columns, ", "), o.types["parent"], o.parent.name, pick(rng, []string{"set null", "cascade"}), quoted(o.key), partition, parts)
}

// auditSQL keeps a log of what really happened: of each change of a row, what
// the row was and is, which columns changed, by which step of which
// transaction. Changes of one row take their numbers in the order of their
// commits, for the row is locked.
const auditSQL = `
create table audit (seq bigint generated always as identity primary key, xid bigint, step int, verb text, tab text, op text, was jsonb, now jsonb, changed text[]);
create function texts(r jsonb) returns jsonb language sql as 'select jsonb_object_agg(key, value) from jsonb_each_text(r)';
create function audit() returns trigger language plpgsql as $$
declare
	was jsonb; now jsonb;
begin
	if tg_op in ('UPDATE', 'DELETE') then was := to_jsonb(old); end if;
	if tg_op in ('UPDATE', 'INSERT') then now := to_jsonb(new); end if;
	insert into audit (xid, step, verb, tab, op, was, now, changed) values (pg_current_xact_id()::text::bigint,
		current_setting('oracle.step')::int, current_setting('oracle.verb'), tg_argv[0], lower(tg_op), texts(was), texts(now),
		(select array_agg(key) from jsonb_each(was) where value is distinct from now -> key));
	return null;
end $$;`

// oracleWriter makes random transactions on a connection of its own.
type oracleWriter struct {
	conn   *pgx.Conn
	rng    *rand.Rand
	tables []*oracleTable
	ops    int
}

// transaction makes one transaction, and ends it one way or the other.
func (w *oracleWriter) transaction(ctx context.Context, t testing.TB) {
	t.Helper()
	tx, err := w.conn.Begin(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for step := range 1 + w.rng.IntN(4) {
		err := w.step(ctx, tx, step)
		var refused *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &refused) && (refused.Code == "40P01" || refused.Code == "40001"): // deadlock, or a row that moved away
			return
		default:
			t.Error(err)
			return
		}
	}
	if w.rng.IntN(6) == 0 {
		return
	}
	if err := tx.Commit(ctx); err != nil {
		t.Error(err)
	}
}

// step makes one statement in a savepoint, which is given up at times, and
// always if a constraint refuses the statement.
func (w *oracleWriter) step(ctx context.Context, tx pgx.Tx, step int) error {
	w.ops++
	savepoint, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	sql := w.statement(pick(w.rng, w.tables))
	verb, _, _ := strings.Cut(sql, " ")
	if _, err := savepoint.Exec(ctx, "select set_config('oracle.step', $1::int::text, true), set_config('oracle.verb', $2, true)", step, verb); err != nil {
		return err
	}
	_, err = savepoint.Exec(ctx, sql)
	var refused *pgconn.PgError
	if constraint := errors.As(err, &refused) && strings.HasPrefix(refused.Code, "23"); constraint || err == nil && w.rng.IntN(8) == 0 {
		return savepoint.Rollback(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return savepoint.Commit(ctx)
}

func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// value is a random value of a column, as SQL; never null in a key.
func (w *oracleWriter) value(t *oracleTable, column string) string {
	typ := map[string]string{"a": "bigint", "b": "text", "n": "numeric"}[column]
	if typ == "" {
		typ = t.types[column]
	}
	if !slices.Contains(t.key, column) && w.rng.IntN(5) == 0 {
		return "null"
	}
	v := sqlText(pick(w.rng, oracleValues[typ])) + "::" + typ
	if column == "parent" { // mostly a row that there is
		return fmt.Sprintf("(select min(%[1]s::text)::%[2]s from %[3]s where %[1]s <= %[4]s)", quoted(t.parent.key), typ, t.parent.name, v)
	}
	return v
}

func (w *oracleWriter) row(t *oracleTable) string {
	var values []string
	for _, c := range slices.Concat(t.key, []string{"parent", "a", "b", "n"}) {
		values = append(values, w.value(t, c))
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// where is a condition that one row meets, or some, or all.
func (w *oracleWriter) where(t *oracleTable) string {
	switch w.rng.IntN(5) {
	case 0:
		return "true"
	case 1:
		return "a > " + w.value(t, "a")
	case 2:
		return "parent is null"
	}
	c := t.key[0]
	return quoted([]string{c}) + " = " + w.value(t, c)
}

// statement is a random statement on a table.
func (w *oracleWriter) statement(t *oracleTable) string {
	set := func(c string) string { return quoted([]string{c}) + " = " + w.value(t, c) }
	key := pick(w.rng, t.key)
	switch w.rng.IntN(20) {
	case 0, 1, 2, 3, 4:
		return fmt.Sprintf("insert into %s values %s on conflict do nothing", t.name, w.row(t))
	case 5, 6:
		return fmt.Sprintf("insert into %s values %s on conflict (%s) do update set b = excluded.b, parent = excluded.parent", t.name, w.row(t), quoted(t.key))
	case 7:
		return fmt.Sprintf("insert into %s values %s, %s, %s on conflict do nothing", t.name, w.row(t), w.row(t), w.row(t))
	case 8, 9:
		return fmt.Sprintf("update %s set %s where %s", t.name, set(key), w.where(t))
	case 10:
		if t.types[key] == "bigint" {
			return fmt.Sprintf("update %[1]s set %[2]s = - %[2]s - 100", t.name, quoted([]string{key}))
		}
		return fmt.Sprintf("update %s set b = b", t.name)
	case 11, 12:
		return fmt.Sprintf("update %s set %s where %s", t.name, set("parent"), w.where(t))
	case 13, 14, 15:
		return fmt.Sprintf("update %s set %s, %s where %s", t.name, set("a"), set(pick(w.rng, []string{"b", "n"})), w.where(t))
	case 16:
		other := pick(w.rng, w.tables)
		return fmt.Sprintf("with x as (update %s set a = a + 1 where %s returning 1) update %s set n = 1.5 from (select count(*) from x) y where %s",
			t.name, w.where(t), other.name, w.where(other))
	case 17, 18:
		return fmt.Sprintf("delete from %s where %s", t.name, w.where(t))
	}
	if w.rng.IntN(4) == 0 {
		return "truncate " + t.name + " cascade"
	}
	return fmt.Sprintf("update %s set n = n", t.name)
}

// oracleWatch is a random watcher.
type oracleWatch struct {
	rowsync.Watch
	table *oracleTable
}

// oracleWatches makes watchers of the tables: those of the first table's model
// without a label, and some with one.
func oracleWatches(rng *rand.Rand, tables []*oracleTable) (ws []*oracleWatch) {
	columns := []string{"parent", "a", "b", "n"}
	for i, on := range [][]rowsync.Op{{rowsync.AnyOp}, {rowsync.Inserted, rowsync.Updated | rowsync.Deleted}}[rng.IntN(2)] {
		w := &oracleWatch{rowsync.Watch{Model: watchedRow{}, On: on}, tables[0]}
		if i == 0 || rng.IntN(2) == 0 {
			w.ExtraColumns = append(some(rng, columns[1:]), "Parent")
		}
		ws = append(ws, w)
	}
	for _, t := range tables {
		for n := range 1 + rng.IntN(3) {
			w := &oracleWatch{rowsync.Watch{Table: t.name, Label: fmt.Sprintf("%s %d", t.name, n)}, t}
			if rng.IntN(4) > 0 {
				w.ExtraColumns = some(rng, columns)
			}
			switch rng.IntN(3) {
			case 0:
				w.On = rowsync.Op(1 + rng.IntN(7))
			case 1:
				w.TriggerColumns = some(rng, append(columns[1:], t.key...))
			}
			ws = append(ws, w)
		}
	}
	return ws
}

// on is the operations that the watcher tells of.
func (w *oracleWatch) on() rowsync.Op {
	switch {
	case w.On != 0:
		return w.On
	case len(w.TriggerColumns) > 0:
		return rowsync.Updated
	}
	return rowsync.AnyOp
}
