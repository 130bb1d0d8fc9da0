package pgtrigger

import (
	"context"
	"fmt"
	"strings"

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
	var script strings.Builder
	fmt.Fprintf(&script, `-- Capture of changes by rowsync, in the schema %[1]s.
-- The role that reads the changes needs, besides:
--   grant usage on schema %[1]s to …;
--   grant select, delete on %[2]s to …;
--   grant select, insert, update on %[3]s to …;

begin;
%[4]s`, s.names.Schema, s.names.Journal, s.names.State, shared)
	for _, d := range defs {
		fmt.Fprintf(&script, "\n-- %s\n%s", d.table, d.function)
	}
	fmt.Fprintf(&script, "commit;\n")
	for _, d := range defs {
		fmt.Fprintf(&script, `
-- Creating triggers waits for the table's writers, and makes later ones wait.
begin;
set local lock_timeout = '%ds';
`, max(1, int(s.opts.LockTimeout.Seconds())))
		for i, ddl := range d.triggers {
			fmt.Fprintf(&script, "drop trigger if exists %s on %s;\n%s", ident(d.triggerName(triggerOps[i])), ident(d.table.Schema, d.table.Name), ddl)
		}
		script.WriteString("\ncommit;\n")
	}
	return script.String(), nil
}
