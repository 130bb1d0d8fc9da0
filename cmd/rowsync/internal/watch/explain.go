package watch

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
)

// explain returns the error of a start that failed, with what to do if that is
// because this role may not install what is missing.
func (w *watch) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if w.source.Verify(ctx, w.tables.Captured) == nil {
		return err
	}
	grants, lookErr := w.grants(ctx)
	if lookErr != nil || len(grants) == 0 {
		return err
	}
	args := append([]string{"--namespace", w.opts.namespace}, tables.Args(w.opts.tables)...)
	for i := range args {
		args[i] = shell(args[i])
	}
	return fmt.Errorf(`the role %q may not install the triggers that capture the changes.
Either let its superiors grant what is missing:
  %s
or let them install the triggers by running what this prints, with the rights to
read that its first lines name, after which the same watch installs nothing:
  rowsync triggers sql %s`,
		w.place.Role, strings.Join(grants, "\n  "), strings.Join(args, " "))
}

// grants returns the statements that give this role what it lacks to install.
func (w *watch) grants(ctx context.Context) ([]string, error) {
	var (
		role, database                 string
		schema, journal                bool
		mayCreate, mayUse, mayCreateIn bool
		mayJournal, mayState           bool
	)
	err := w.pool.QueryRow(ctx, `
		with s as (select oid from pg_catalog.pg_namespace where nspname = $1),
		j as (select c.oid from pg_catalog.pg_class c join s on c.relnamespace = s.oid where c.relname = 'journal'),
		t as (select c.oid from pg_catalog.pg_class c join s on c.relnamespace = s.oid where c.relname = 'state')
		select current_user, current_database(), exists (select from s), exists (select from j),
			has_database_privilege(current_database(), 'CREATE'),
			coalesce((select has_schema_privilege(oid, 'USAGE') from s), false),
			coalesce((select has_schema_privilege(oid, 'CREATE') from s), false),
			coalesce((select has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT') and has_table_privilege(oid, 'DELETE') from j), false),
			coalesce((select has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT') and has_table_privilege(oid, 'UPDATE') from t), false)`,
		w.opts.namespace).Scan(&role, &database, &schema, &journal, &mayCreate, &mayUse, &mayCreateIn, &mayJournal, &mayState)
	if err != nil {
		return nil, err
	}
	var list []string
	grant := func(lacks bool, format string, args ...any) {
		if lacks {
			list = append(list, fmt.Sprintf("grant "+format+" to %s;", append(args, ident(role))...))
		}
	}
	grant(!schema && !mayCreate, "create on database %s", ident(database))
	grant(schema && (!mayUse || !mayCreateIn), "usage, create on schema %s", ident(w.opts.namespace))
	grant(journal && !mayJournal, "select, insert, delete on %s", ident(w.opts.namespace, "journal"))
	grant(journal && !mayState, "select, insert, update on %s", ident(w.opts.namespace, "state"))
	for _, t := range w.tables.Captured {
		closed, err := w.closed(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, table := range closed {
			grant(true, "trigger on %s", table)
		}
	}
	return list, nil
}

// closed returns the tables, of one that is watched and all that are part of it,
// on which this role may not create triggers, quoted for SQL.
func (w *watch) closed(ctx context.Context, t *rowsync.Table) ([]string, error) {
	rows, err := w.pool.Query(ctx, `
		with recursive family(oid) as (
			select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = $2
			union
			select i.inhrelid from pg_catalog.pg_inherits i join family on i.inhparent = family.oid
		) select format('%I.%I', n.nspname, c.relname)
		from family join pg_catalog.pg_class c using (oid) join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where not has_table_privilege(c.oid, 'TRIGGER') order by 1`, t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// ident quotes the parts of a name for SQL.
func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
