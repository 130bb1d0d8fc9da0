package pgtrigger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// SQL returns the statements that install what capture of tables needs, for a
// role that may run them when the one that runs the Source may not; the
// comments say which privileges the latter needs. They may be run again and
// again. The catalog is read for the columns' types, and nothing is changed.
func (s *Source) SQL(ctx context.Context, tables []*capture.Table) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	defs, err := s.resolve(ctx, s.pool, tables)
	if err != nil {
		return "", err
	}
	shared, err := s.sharedSQL(true)
	if err != nil {
		return "", err
	}
	major, err := s.major(ctx, s.pool)
	if err != nil {
		return "", err
	}
	members, err := s.members(ctx, s.pool, defs)
	if err != nil {
		return "", fmt.Errorf("read which tables inherit: %w", err)
	}
	var script strings.Builder
	fmt.Fprintf(&script, `-- Capture of changes by rowsync, in the schema %[1]s, for PostgreSQL %[5]s.
-- The role that reads the changes needs, besides:
--   grant usage on schema %[1]s to …;
--   grant select, delete on %[2]s to …;
--   grant select, insert, update on %[3]s to …;

begin;
%[4]s`, s.names.Schema, s.names.Journal, s.names.State, shared, forMajors(major))
	for _, d := range defs {
		fmt.Fprintf(&script, "\n-- %s\n%s", d.table, d.function)
	}
	fmt.Fprintf(&script, "commit;\n")
	for _, d := range defs {
		triggers, err := d.triggerScript(s.names, members[d], major)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&script, `
-- Creating triggers waits for the table's writers, and makes later ones wait.
%sbegin;
set local lock_timeout = '%dms';
%scommit;
`, d.membersNote(), max(scriptWait, s.opts.LockTimeout).Milliseconds(), triggers)
	}
	return script.String(), nil
}

// scriptWait is how long a script waits for a lock at least, for nobody tries it
// again at once. It is below PostgreSQL's default deadlock_timeout of 1 s, so
// that in a deadlock it is the script that gives way and not a writer.
const scriptWait = 500 * time.Millisecond

// firstOrReplace is the major version that has CREATE OR REPLACE TRIGGER.
const firstOrReplace = 14

// forMajors says which servers the script is for.
func forMajors(major int) string {
	if major < firstOrReplace {
		return fmt.Sprintf("%d and later", oldestMajor)
	}
	return fmt.Sprintf("%d and later", firstOrReplace)
}

// membersNote says of a table with row triggers what the script leaves out.
func (d *definition) membersNote() string {
	switch {
	case d.way.moves:
		return "-- PostgreSQL gives later partitions the row triggers, but not the one for TRUNCATE:\n-- make this script anew for them.\n"
	case d.way.rows:
		return "-- A table that inherits from this one later has no triggers: make this script anew then.\n"
	}
	return ""
}

// triggerScript is the DDL of all triggers of the definition, to be run again
// and again.
func (d *definition) triggerScript(n names, members []member, major int) (string, error) {
	var script strings.Builder
	keep, err := d.keepFunction(n)
	if err != nil {
		return "", err
	}
	script.WriteString(keep)
	for _, m := range members {
		for _, op := range d.needs(m, major) {
			create := "create or replace trigger"
			if major < firstOrReplace {
				fmt.Fprintf(&script, "drop trigger if exists %s on %s;\n", ident(d.triggerName(op)), ident(m.schema, m.name))
				create = "create trigger"
			}
			ddl, err := d.trigger(n, op, m.schema, m.name, create)
			if err != nil {
				return "", err
			}
			script.WriteString(ddl)
		}
		if d.way.moves {
			fmt.Fprintf(&script, "grant execute on function %s() to %s;\n", ident(n.namespace, d.functionName()), ident(m.ownedBy))
		}
	}
	return script.String(), nil
}
