package pgtrigger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/capture"
)

// Installed is one definition that stands in the database: how one table is, or
// was, captured. Programs with other watchers have definitions of their own.
type Installed struct {
	// Definition names it: 16 hexadecimal digits, a hash of all its SQL.
	Definition string
	// Schema and Table name the table that it was made for. TableExists says
	// whether there is still one of that name.
	Schema, Table string
	TableExists   bool
	// Key, Columns, Compared and Ops say what is captured, see [capture.Table].
	Key, Columns, Compared []string
	Ops                    capture.Op
	// Function is the trigger function, schema-qualified and quoted as SQL.
	Function string
	// Triggers are those that call the function, without the copies that
	// PostgreSQL makes of them for partitions.
	Triggers []InstalledTrigger
	// Readers are the sessions that read it now.
	Readers []Reader
}

// InstalledTrigger is one trigger of a definition. Its names are unquoted.
type InstalledTrigger struct {
	Name, Schema, Table string
	// Enabled says whether it fires for ordinary sessions.
	Enabled bool
}

// String names the definition and its table in a few words.
func (i *Installed) String() string {
	return fmt.Sprintf("definition %s of %s.%s", i.Definition, i.Schema, i.Table)
}

// Installed returns every definition that the namespace has in the database, by
// table. It alters nothing; a namespace that is not installed has none.
func (s *Source) Installed(ctx context.Context) ([]Installed, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.installed(ctx, s.pool, "capture!_%")
}

// installed returns the definitions whose function's name is like the pattern,
// with ! as the sign that takes away a wildcard's meaning.
func (s *Source) installed(ctx context.Context, db querier, pattern string) ([]Installed, error) {
	rows, err := db.Query(ctx, `
		select p.proname, pg_catalog.obj_description(p.oid, 'pg_proc'),
			array(select row_to_json(x)::text from (
				select t.tgname as "Name", n.nspname as "Schema", c.relname as "Table", t.tgenabled in ('O', 'A') as "Enabled"
				from pg_catalog.pg_trigger t
				join pg_catalog.pg_class c on c.oid = t.tgrelid
				join pg_catalog.pg_namespace n on n.oid = c.relnamespace
				where t.tgfoid = p.oid and t.tgparentid = 0
				order by n.nspname, c.relname, t.tgname) x)
		from pg_catalog.pg_proc p join pg_catalog.pg_namespace s on s.oid = p.pronamespace
		where s.nspname = $1 and p.proname like $2 escape '!' and pg_catalog.obj_description(p.oid, 'pg_proc') is not null`,
		s.names.namespace, pattern)
	if err != nil {
		return nil, fmt.Errorf("read what is installed: %w", err)
	}
	var (
		list          []Installed
		name, comment string
		triggers      []string
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &comment, &triggers}, func() error {
		i, ours := s.parseInstalled(name, comment)
		if !ours {
			return nil
		}
		for _, text := range triggers {
			var t InstalledTrigger
			if err := json.Unmarshal([]byte(text), &t); err != nil {
				return err
			}
			i.Triggers = append(i.Triggers, t)
		}
		list = append(list, i)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what is installed: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	if err := s.addUse(ctx, db, list); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Installed) int {
		return strings.Compare(a.Schema+"\x00"+a.Table+"\x00"+a.Definition, b.Schema+"\x00"+b.Table+"\x00"+b.Definition)
	})
	return list, nil
}

// parseInstalled reads the comment of a trigger function. A function that
// rowsync did not make for this namespace is none of its business.
func (s *Source) parseInstalled(name, comment string) (Installed, bool) {
	var c struct {
		Format                                    int `json:"rowsync"`
		Namespace, Definition, Schema, Table, Ops string
		Key, Columns, Compared                    []string
	}
	if err := json.Unmarshal([]byte(comment), &c); err != nil {
		return Installed{}, false
	}
	_, err := parseDefinition(c.Definition)
	if err != nil || c.Format == 0 || c.Namespace != s.names.namespace || name != "capture_"+c.Definition {
		return Installed{}, false
	}
	return Installed{
		Definition: c.Definition, Schema: c.Schema, Table: c.Table,
		Key: c.Key, Columns: c.Columns, Compared: c.Compared, Ops: parseOps(c.Ops),
		Function: ident(s.names.namespace, name),
	}, true
}

// parseOps reads what [capture.Op.String] wrote; nothing means every operation.
func parseOps(text string) capture.Op {
	var set capture.Op
	for name := range strings.SplitSeq(text, "|") {
		for _, op := range []capture.Op{capture.Insert, capture.Update, capture.Delete, capture.Truncate} {
			if name == op.String() {
				set |= op
			}
		}
	}
	if set == 0 {
		return capture.Insert | capture.Update | capture.Delete | capture.Truncate
	}
	return set
}

// addUse says of each definition who reads it and whether its table is there.
func (s *Source) addUse(ctx context.Context, db querier, list []Installed) error {
	readers, err := s.readers(ctx, db)
	if err != nil {
		return err
	}
	schemas, tables := make([]string, len(list)), make([]string, len(list))
	for i := range list {
		schemas[i], tables[i] = list[i].Schema, list[i].Table
		id, err := parseDefinition(list[i].Definition)
		if err != nil {
			return err
		}
		list[i].Readers = readers[claimKey(id)]
	}
	rows, err := db.Query(ctx, `
		select w.place from unnest($1::text[], $2::text[]) with ordinality as w(schema, name, place)
		join pg_catalog.pg_namespace s on s.nspname = w.schema
		join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.name and c.relkind in ('r', 'p')`, schemas, tables)
	if err != nil {
		return fmt.Errorf("read which tables are there: %w", err)
	}
	var place int
	_, err = pgx.ForEachRow(rows, []any{&place}, func() error { list[place-1].TableExists = true; return nil })
	if err != nil {
		return fmt.Errorf("read which tables are there: %w", err)
	}
	return nil
}
