package pgtrigger

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// strays finds the triggers of definitions that stand on other tables than they
// are for, or have other names. A table that was renamed keeps its triggers, and
// what they write would be taken for changes of the table that has its name now;
// a table that does not inherit any more keeps them too. In place of a trigger
// that was renamed another is made, and with both each change would come twice.
const strays = `
	with recursive wanted as (
		select * from unnest($1::text[], $2::text[], $3::text[]) with ordinality as w(schema, name, function, place)
	), member as (
		select w.place, c.oid
		from wanted w
		join pg_catalog.pg_namespace s on s.nspname = w.schema
		join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.name
		union
		select m.place, i.inhrelid from member m join pg_catalog.pg_inherits i on i.inhparent = m.oid
	)
	select w.place, t.tgname, n.nspname, c.relname
	from wanted w
	join pg_catalog.pg_proc p on p.proname = w.function
		and p.pronamespace = (select oid from pg_catalog.pg_namespace where nspname = $4)
	join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_proc'::regclass and d.refobjid = p.oid
		and d.classid = 'pg_catalog.pg_trigger'::regclass
	join pg_catalog.pg_trigger t on t.oid = d.objid and t.tgparentid = 0
	join pg_catalog.pg_class c on c.oid = t.tgrelid
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where exists (select from member m where m.place = w.place)
		and (not exists (select from member m where m.place = w.place and m.oid = t.tgrelid)
			or t.tgname !~ concat('^rowsync_', substr(w.function, length('capture_') + 1), '_(insert|update|delete|truncate)$'))`

// strayTrigger is a trigger and the table it stands on.
type strayTrigger struct {
	Place               int // of its definition, from 1
	Name, Schema, Table string
}

// dropStrays drops the strays of definitions. That it can't is logged, and
// tried again at the next start.
func (s *Source) dropStrays(ctx context.Context, db beginner, defs ...*definition) {
	schemas, tables, functions := make([]string, len(defs)), make([]string, len(defs)), make([]string, len(defs))
	for i, d := range defs {
		schemas[i], tables[i], functions[i] = d.table.Schema, d.table.Name, d.functionName()
	}
	rows, err := db.Query(ctx, strays, schemas, tables, functions, s.names.namespace)
	if err != nil {
		return // and so will what comes next on this connection
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[strayTrigger])
	if err != nil {
		return
	}
	for _, t := range list {
		log := s.opts.Logger.With("trigger", t.Name, "on", t.Schema+"."+t.Table, "made_for", defs[t.Place-1].table.String())
		if s.opts.VerifyOnly {
			log.Warn("rowsync: a trigger stands on another table than it is for, or has another name: what it captures is wrong; drop it")
			continue
		}
		err := s.tryLocks(ctx, db, job{doing: "drop trigger " + t.Name, do: func(tx pgx.Tx) error {
			return execScript(ctx, tx, "drop trigger if exists "+ident(t.Name)+" on "+ident(t.Schema, t.Table))
		}})
		if err != nil {
			log.Warn("rowsync: could not drop a trigger that stands on another table than it is for, or has another name", "err", err)
			continue
		}
		log.Info("rowsync: dropped a trigger that stood on another table than it was for, or had another name")
	}
}
