// Package catalog reads what PostgreSQL knows of tables: their columns, types
// and primary keys.
package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Querier is what Load needs of a connection or pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Name is the name of a table.
type Name struct{ Schema, Table string }

// String returns the schema-qualified name, unquoted.
func (n Name) String() string { return n.Schema + "." + n.Table }

// Column is one column of a table, dropped and system columns excepted.
type Column struct {
	Name string
	// Type is the type's name as SQL, schema-qualified where needed, with its modifier.
	Type string
	// OID is the type's object id; for a domain that of the type below it, which
	// Base names, without its schema.
	OID  uint32
	Base string
	// TypeKind is pg_type.typtype of the type itself: 'b' base, 'e' enum, 'd'
	// domain, 'c' composite, 'r' range, 'm' multirange.
	TypeKind byte
	NotNull  bool
	// Refers says that a foreign key of the table includes the column.
	Refers bool
	// Loose says that the column's collation calls texts equal that differ in
	// their bytes (https://www.postgresql.org/docs/current/collation.html).
	Loose bool
}

// Table is one relation.
type Table struct {
	Name Name
	OID  uint32
	// Kind is pg_class.relkind: 'r' table, 'p' partitioned table, 'v' view, 'm'
	// materialized view, 'f' foreign table.
	Kind byte
	// Persistence is pg_class.relpersistence: 'p' permanent, 'u' unlogged, 't' temporary.
	Persistence byte
	Columns     []Column
	// Key names the primary key's columns in the key's order; empty without one.
	Key []string
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// ColumnNames returns the names of all columns, in the table's order.
func (t *Table) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	return names
}

const query = `
select n.nspname, c.relname, c.oid, c.relkind::text, c.relpersistence::text,
       a.attname, format_type(a.atttypid, a.atttypmod),
       base.oid, base.typname, ty.typtype::text, a.attnotnull,
       exists (select from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey)),
       case when array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts
            then array_position(i.indkey::int2[], a.attnum) else -1 end,
       exists (select from pg_catalog.pg_collation l where l.oid = a.attcollation and not l.collisdeterministic)
from unnest($1::text[], $2::text[]) as want(schema, tab)
join pg_catalog.pg_namespace n on n.nspname = want.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = want.tab and c.relkind in ('r','p','v','m','f')
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type ty on ty.oid = a.atttypid
cross join lateral (
    with recursive below as (
        select ty.oid, ty.typname, ty.typtype, ty.typbasetype
        union all
        select t.oid, t.typname, t.typtype, t.typbasetype from below b join pg_catalog.pg_type t on b.typtype = 'd' and t.oid = b.typbasetype
    )
    select oid, typname from below where typtype <> 'd'
) base
left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
order by c.oid, a.attnum`

// Load returns what the catalog says of the named tables, in one statement. A
// table that does not exist is absent from the result.
func Load(ctx context.Context, db Querier, names []Name) (map[Name]*Table, error) {
	schemas, tabs := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		schemas[i], tabs[i] = n.Schema, n.Table
	}
	rows, err := db.Query(ctx, query, schemas, tabs)
	if err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	defer rows.Close()
	tables := make(map[Name]*Table, len(names))
	keys := make(map[Name]map[int]string, len(names))
	for rows.Next() {
		var (
			name              Name
			oid               uint32
			kind, persistence string
			typeKind          string
			col               Column
			place             int
		)
		if err := rows.Scan(&name.Schema, &name.Table, &oid, &kind, &persistence,
			&col.Name, &col.Type, &col.OID, &col.Base, &typeKind, &col.NotNull, &col.Refers, &place, &col.Loose); err != nil {
			return nil, fmt.Errorf("read catalog: %w", err)
		}
		col.TypeKind = typeKind[0]
		t := tables[name]
		if t == nil {
			t = &Table{Name: name, OID: oid, Kind: kind[0], Persistence: persistence[0]}
			tables[name], keys[name] = t, map[int]string{}
		}
		t.Columns = append(t.Columns, col)
		if place >= 0 {
			keys[name][place] = col.Name
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	for name, places := range keys {
		// indkey counts from 0; places are dense.
		for i := range len(places) {
			tables[name].Key = append(tables[name].Key, places[i])
		}
	}
	return tables, nil
}
