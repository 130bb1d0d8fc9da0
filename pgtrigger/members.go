package pgtrigger

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// member is a table with triggers of a definition: the definition's own, and
// with row triggers all that inherit from it, partitions included.
type member struct {
	schema, name string
	own          bool   // it is the definition's table itself
	kind         string // pg_class.relkind
	trigger      bool   // this role may create triggers on it
	owner        bool   // this role owns it
	ownedBy      string
	mayUse       bool // its owner may use the definition's function
	// enabled says of the definition's triggers on it, by name, when they fire:
	// pg_trigger.tgenabled.
	enabled map[string]string
	install string // tells the table and these triggers from later ones
}

// members reads the members of each definition, its own table first. A
// definition whose table is gone has none.
func (s *Source) members(ctx context.Context, db querier, defs []*definition) (map[*definition][]member, error) {
	schemas, tables, functions := make([]string, len(defs)), make([]string, len(defs)), make([]string, len(defs))
	deep := make([]bool, len(defs))
	for i, d := range defs {
		schemas[i], tables[i], functions[i], deep[i] = d.table.Schema, d.table.Name, d.functionName(), d.way.rows
	}
	rows, err := db.Query(ctx, `
		with recursive own as (
			select w.place, w.deep, c.oid, w.function
			from unnest($1::text[], $2::text[], $3::text[], $4::bool[]) with ordinality as w(schema, name, function, deep, place)
			join pg_catalog.pg_namespace s on s.nspname = w.schema
			join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.name
		), member as (
			select place, oid, true as own from own
			union
			select m.place, i.inhrelid, false
			from member m join own using (place) join pg_catalog.pg_inherits i on i.inhparent = m.oid
			where own.deep
		)
		select m.place, s.nspname, c.relname, m.own, c.relkind::text,
			has_table_privilege(c.oid, 'TRIGGER'), pg_catalog.pg_has_role(c.relowner, 'USAGE'),
			coalesce(array_agg(t.tgname::text order by t.oid) filter (where t.oid is not null), '{}'),
			coalesce(array_agg(t.tgenabled::text order by t.oid) filter (where t.oid is not null), '{}'),
			concat(c.oid, ' ', string_agg(concat(p.xmin, '/', t.oid, '/', t.xmin), ' ' order by t.oid)),
			pg_catalog.pg_get_userbyid(c.relowner)::text, coalesce(bool_and(has_function_privilege(c.relowner, p.oid, 'EXECUTE')), false)
		from member m join own using (place)
		join pg_catalog.pg_class c on c.oid = m.oid
		join pg_catalog.pg_namespace s on s.oid = c.relnamespace
		left join pg_catalog.pg_proc p on p.proname = own.function
			and p.pronamespace = (select oid from pg_catalog.pg_namespace where nspname = $5)
		left join pg_catalog.pg_trigger t on t.tgrelid = c.oid and t.tgfoid = p.oid
		group by m.place, m.own, s.nspname, c.oid, c.relname, c.relkind, c.relowner
		order by m.place, m.own desc, c.oid`, schemas, tables, functions, deep, s.names.namespace)
	if err != nil {
		return nil, err
	}
	found := map[*definition][]member{}
	var (
		place          int64
		m              member
		names, enabled []string
	)
	_, err = pgx.ForEachRow(rows, []any{&place, &m.schema, &m.name, &m.own, &m.kind, &m.trigger, &m.owner, &names, &enabled, &m.install, &m.ownedBy, &m.mayUse}, func() error {
		m.enabled = make(map[string]string, len(names))
		for i, name := range names {
			m.enabled[name] = enabled[i]
		}
		d := defs[place-1]
		found[d] = append(found[d], m)
		return nil
	})
	return found, err
}

// firstForeignTruncate is the major version from which a foreign table may have
// a trigger for TRUNCATE.
const firstForeignTruncate = 16

// needs returns the operations that need a trigger of the definition on m: all
// of them, but that PostgreSQL makes the row triggers of partitions by itself.
func (d *definition) needs(m member, major int) []string {
	return slices.DeleteFunc(slices.Clone(d.ops), func(op string) bool {
		if op == "truncate" {
			return m.kind == "f" && major < firstForeignTruncate
		}
		return d.way.moves && !m.own
	})
}
