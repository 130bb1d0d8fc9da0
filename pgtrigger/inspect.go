package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// inspection is what the database lacks for capture, and what this role may do.
type inspection struct {
	schema, journal, state bool          // whether they are there
	damage                 []string      // what is wrong with the shape of journal and state, in words
	shapes                 string        // tells their columns from later ones of the same names
	tables, functions      []*definition // what is missing of them
	triggers               []trigger
	disabled               []trigger // there, but somebody has disabled them
	// installs tells the triggers of each definition from later ones of the
	// same names.
	installs map[*definition]string

	mayCreateSchema, mayUseSchema, mayCreateIn bool
	mayReadJournal, mayFillJournal, mayState   bool
	mayRepair                                  bool // drop journal and state, that is
	// powerless are the functions whose owner may not write the journal.
	powerless  []*definition
	mayTrigger map[*definition]bool
}

// trigger is one trigger of a definition.
type trigger struct {
	def *definition
	op  string // of triggerOps
	on  member
	// dormant: it is there, but does not fire always, as it should.
	dormant bool
}

func (t trigger) String() string {
	return fmt.Sprintf("trigger %s on %s.%s", t.def.triggerName(t.op), t.on.schema, t.on.name)
}

func (in *inspection) complete() bool {
	return in.shared() && len(in.tables) == 0 && len(in.functions) == 0 && len(in.triggers) == 0 && len(in.disabled) == 0 && len(in.powerless) == 0
}

// shared reports whether what all tables share is there, as it should be.
func (in *inspection) shared() bool {
	return in.schema && in.journal && in.state && len(in.damage) == 0
}

// lacks reports whether changes of the definition's table go unseen.
func (in *inspection) lacks(d *definition) bool {
	of := func(t trigger) bool { return t.def == d }
	return slices.Contains(in.powerless, d) || slices.Contains(in.tables, d) || slices.Contains(in.functions, d) || slices.ContainsFunc(in.triggers, of) || slices.ContainsFunc(in.disabled, of)
}

// inspect looks at what is there, taking no locks but those of reading the catalog.
func (s *Source) inspect(ctx context.Context, db querier, defs []*definition) (*inspection, error) {
	in := &inspection{mayTrigger: map[*definition]bool{}, installs: map[*definition]string{}}
	if err := in.readNamespace(ctx, db, s.names); err != nil {
		return nil, fmt.Errorf("inspect schema %s: %w", s.names.Schema, err)
	}
	if err := in.readShape(ctx, db, s.names, s.opts.MaxJournal); err != nil {
		return nil, fmt.Errorf("inspect journal: %w", err)
	}
	if err := in.readFunctions(ctx, db, s.names, defs); err != nil {
		return nil, fmt.Errorf("inspect trigger functions: %w", err)
	}
	if err := in.readTriggers(ctx, db, s, defs); err != nil {
		return nil, fmt.Errorf("inspect triggers: %w", err)
	}
	return in, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (in *inspection) readNamespace(ctx context.Context, db querier, n names) error {
	return db.QueryRow(ctx, `
		with s as (select oid from pg_catalog.pg_namespace where nspname = $1),
		j as (select c.oid from pg_catalog.pg_class c join s on c.relnamespace = s.oid where c.relname = 'journal'),
		t as (select c.oid from pg_catalog.pg_class c join s on c.relnamespace = s.oid where c.relname = 'state')
		select exists (select from s), exists (select from j), exists (select from t),
			has_database_privilege(current_database(), 'CREATE'),
			coalesce((select has_schema_privilege(oid, 'USAGE') from s), false),
			coalesce((select has_schema_privilege(oid, 'CREATE') from s), false),
			coalesce((select has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'DELETE') from j), false),
			coalesce((select has_table_privilege(oid, 'INSERT') from j), false),
			coalesce((select has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT')
				and has_table_privilege(oid, 'UPDATE') from t), false)`, n.namespace).
		Scan(&in.schema, &in.journal, &in.state, &in.mayCreateSchema, &in.mayUseSchema, &in.mayCreateIn,
			&in.mayReadJournal, &in.mayFillJournal, &in.mayState)
}

func (in *inspection) readFunctions(ctx context.Context, db querier, n names, defs []*definition) error {
	wanted := make([]string, len(defs))
	for i, d := range defs {
		wanted[i] = d.functionName()
	}
	rows, err := db.Query(ctx, `
		select p.proname, p.prosrc, j.oid is null or has_schema_privilege(p.proowner, s.oid, 'USAGE')
			and has_table_privilege(p.proowner, j.oid, 'SELECT') and has_table_privilege(p.proowner, j.oid, 'INSERT')
		from pg_catalog.pg_proc p
		join pg_catalog.pg_namespace s on s.oid = p.pronamespace
		left join pg_catalog.pg_class j on j.relnamespace = s.oid and j.relname = 'journal'
		where s.nspname = $1 and p.proname = any($2)`, n.namespace, wanted)
	if err != nil {
		return err
	}
	bodies, able := map[string]string{}, map[string]bool{}
	var name, body string
	var may bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &body, &may}, func() error { bodies[name], able[name] = body, may; return nil }); err != nil {
		return err
	}
	for i, d := range defs {
		if bodies[wanted[i]] != d.body {
			in.functions = append(in.functions, d)
		} else if !able[wanted[i]] {
			in.powerless = append(in.powerless, d)
		}
	}
	return nil
}

func (in *inspection) readTriggers(ctx context.Context, db querier, s *Source, defs []*definition) error {
	members, err := s.members(ctx, db, defs)
	if err != nil {
		return err
	}
	major, err := s.major(ctx, db)
	if err != nil {
		return err
	}
	for _, d := range defs {
		if len(members[d]) == 0 {
			in.tables = append(in.tables, d)
		}
		in.mayTrigger[d] = true
		var installs []string
		for _, m := range members[d] {
			if in.compare(d, m, major) || m.own && slices.Contains(in.functions, d) {
				in.mayTrigger[d] = in.mayTrigger[d] && m.trigger && (m.owner || !d.way.always)
			}
			installs = append(installs, m.install)
		}
		in.installs[d] = strings.Join(installs, ";")
	}
	return nil
}

// compare notes what is wrong with the definition's triggers on m, and reports
// whether some must be made.
func (in *inspection) compare(d *definition, m member, major int) bool {
	lacking := false
	needed := d.needs(m, major)
	for _, op := range d.ops {
		enabled, there := m.enabled[d.triggerName(op)]
		dormant := d.way.always && enabled == "O"
		switch {
		case enabled == "D" || enabled == "R":
			in.disabled = append(in.disabled, trigger{d, op, m, false})
		case dormant, !there && slices.Contains(needed, op):
			in.triggers = append(in.triggers, trigger{d, op, m, dormant})
			lacking = true
		}
	}
	return lacking
}

// obstacles says what this role lacks to install what is missing and to read
// the journal, and which triggers somebody has disabled.
func (in *inspection) obstacles(n names) error {
	var errs []error
	lack := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case !in.schema && !in.mayCreateSchema:
		lack("this role may not create the schema %s: it lacks CREATE on the database", n.Schema)
	case in.schema && !in.mayUseSchema:
		lack("this role lacks USAGE on the schema %s", n.Schema)
	case in.schema && !in.mayCreateIn && (!in.journal || !in.state || len(in.functions) > 0):
		lack("this role lacks CREATE on the schema %s", n.Schema)
	}
	if in.journal && !in.mayReadJournal {
		lack("this role lacks SELECT or DELETE on %s", n.Journal)
	}
	if in.journal && !in.mayFillJournal && len(in.functions) > 0 {
		lack("this role lacks INSERT on %s", n.Journal)
	}
	if in.state && !in.mayState {
		lack("this role lacks SELECT, INSERT or UPDATE on %s", n.State)
	}
	if len(in.damage) > 0 && !in.mayRepair {
		lack("%s; this role does not own them: as their owner run DROP TABLE IF EXISTS %s, %s, and then make them anew",
			strings.Join(in.damage, ", "), n.Journal, n.State)
	}
	for d, may := range in.mayTrigger {
		if !may && in.lacks(d) {
			lack("this role may not create triggers on %s%s", d.table, d.lackOfPrivilege())
		}
	}
	for _, d := range in.tables {
		lack("the table %s is gone", d.table)
	}
	for _, t := range in.disabled {
		lack("%s is disabled", t)
	}
	for _, d := range in.powerless {
		lack("the owner of function %s lacks USAGE on the schema, or SELECT or INSERT on %s", ident(n.namespace, d.functionName()), n.Journal)
	}
	return errors.Join(errs...)
}

// lackOfPrivilege says why a role may not create the definition's triggers.
func (d *definition) lackOfPrivilege() string {
	switch {
	case d.way.always:
		return ", or on a table that inherits from it: only their owner may, with option Always"
	case d.way.rows:
		return ", or on a table that inherits from it: it is not the owner and lacks TRIGGER"
	}
	return ": it is not its owner and lacks TRIGGER on it"
}

// missing lists in words what is missing or not as it should be.
func (in *inspection) missing(n names) string {
	var list []string
	if !in.schema {
		list = append(list, "schema "+n.Schema)
	}
	if !in.journal {
		list = append(list, "table "+n.Journal)
	}
	if !in.state {
		list = append(list, "table "+n.State)
	}
	list = append(list, in.damage...)
	for _, d := range in.tables {
		list = append(list, "table "+d.table.String())
	}
	for _, d := range in.functions {
		list = append(list, "function "+ident(n.namespace, d.functionName()))
	}
	for _, t := range in.triggers {
		list = append(list, t.String())
	}
	for _, t := range in.disabled {
		list = append(list, t.String()+" (it is disabled)")
	}
	for _, d := range in.powerless {
		list = append(list, "the right of the owner of function "+ident(n.namespace, d.functionName())+" to write the journal")
	}
	return strings.Join(list, ", ")
}
