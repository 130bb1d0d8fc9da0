package pgtrigger

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// seeSQL ends errors that somebody with more privileges can mend.
const seeSQL = "let a role with the privileges run the statements that Source.SQL returns, then start again"

// install makes sure that everything is there. With nothing missing it runs no
// DDL and takes no locks.
//
// What all tables share is made in one transaction and the triggers of each
// table in one of its own, so that no table's writers wait for another table's
// lock; an install that was broken off is finished by the next one.
// How it goes about locks that are not to be had is up to patient.
func (s *Source) install(ctx context.Context, conn *pgx.Conn, defs []*definition, patient locking) error {
	in, err := s.inspect(ctx, conn, defs)
	if err != nil {
		return err
	}
	if err := s.refusal(in); err != nil || in.complete() {
		return err
	}
	err = patient(ctx, conn, job{"install what all tables share", nil, func(tx pgx.Tx) error { return s.installShared(ctx, tx, defs) }})
	if err != nil {
		return err
	}
	for _, d := range defs {
		if !in.lacks(d) {
			continue
		}
		err := patient(ctx, conn, job{"install capture of " + d.table.String(), d.table, func(tx pgx.Tx) error { return s.installTriggers(ctx, tx, d) }})
		if err != nil {
			return err
		}
		s.opts.Logger.Info("rowsync: installed triggers", "table", d.table.String(), "definition", d.hash)
	}
	return nil
}

// refusal says why capture can't begin, or be installed where it is not.
func (s *Source) refusal(in *inspection) error {
	err := in.obstacles(s.names)
	switch {
	case in.complete():
		return err
	case s.opts.VerifyOnly:
		return fmt.Errorf("capture is not installed and option VerifyOnly forbids to do it: missing are %s; %s",
			in.missing(s.names), seeSQL)
	case err != nil:
		return fmt.Errorf("install capture: %w; %s", err, seeSQL)
	}
	return nil
}

// installShared creates the schema, its tables and the functions where missing.
func (s *Source) installShared(ctx context.Context, tx pgx.Tx, defs []*definition) error {
	in, err := s.inspect(ctx, tx, defs)
	if err != nil {
		return err
	}
	if !in.shared() {
		if err := s.dropDamaged(ctx, tx, in); err != nil {
			return err
		}
		sql, err := s.sharedSQL(!in.schema)
		if err != nil {
			return err
		}
		if err := execScript(ctx, tx, sql); err != nil {
			return err
		}
	}
	for _, d := range in.functions {
		if err := execScript(ctx, tx, d.function); err != nil {
			return err
		}
	}
	return nil
}

// installTriggers creates the triggers that the table lacks, and those that the
// tables lack that inherit from it.
func (s *Source) installTriggers(ctx context.Context, tx pgx.Tx, d *definition) error {
	in, err := s.inspect(ctx, tx, []*definition{d})
	if err != nil {
		return err
	}
	if len(in.triggers) > 0 {
		keep, err := d.keepFunction(s.names)
		if err != nil {
			return err
		}
		if err := execScript(ctx, tx, keep); err != nil {
			return err
		}
	}
	if err := s.boundStatements(ctx, tx, d); err != nil {
		return err
	}
	for _, t := range in.triggers {
		ddl := fmt.Sprintf("alter table %s enable always trigger %s", ident(t.on.schema, t.on.name), ident(d.triggerName(t.op)))
		if !t.dormant {
			if ddl, err = d.trigger(s.names, t.op, t.on.schema, t.on.name, "create trigger"); err != nil {
				return err
			}
		}
		if err := execScript(ctx, tx, ddl); err != nil {
			return err
		}
	}
	return s.letOwners(ctx, tx, d)
}

// boundStatements bounds how long the DDL that follows may take where it needs
// the locks of many tables: lock_timeout is for each of them, and while it waits
// for one, the writers of those it has got wait too.
func (s *Source) boundStatements(ctx context.Context, tx pgx.Tx, d *definition) error {
	members, err := s.members(ctx, tx, []*definition{d})
	if err != nil || len(members[d]) < 2 {
		return err
	}
	longest := 2*s.opts.LockTimeout + time.Duration(len(members[d]))*5*time.Millisecond // for the work itself
	_, err = tx.Exec(ctx, fmt.Sprintf("set local statement_timeout = %d", longest.Milliseconds()))
	return err
}

// keepFunction is the DDL that keeps the function from being dropped until the
// transaction ends. CREATE TRIGGER does not: a DROP FUNCTION, or DROP SCHEMA ...
// CASCADE, that runs beside it leaves a trigger without a function behind, and
// then every statement on the table fails. COMMENT locks what it is about.
func (d *definition) keepFunction(n names) (string, error) {
	comment, err := d.comment(n)
	return fmt.Sprintf("comment on function %s() is %s;\n", ident(n.namespace, d.functionName()), literal(comment)), err
}

// letOwners allows the owners of a partitioned table and its partitions to use
// the function: PostgreSQL asks for that when it clones the triggers to a
// partition that they make or attach.
func (s *Source) letOwners(ctx context.Context, tx pgx.Tx, d *definition) error {
	if !d.way.moves {
		return nil
	}
	members, err := s.members(ctx, tx, []*definition{d})
	if err != nil {
		return err
	}
	for _, m := range members[d] {
		if !m.mayUse {
			if err := execScript(ctx, tx, fmt.Sprintf("grant execute on function %s() to %s", ident(s.names.namespace, d.functionName()), ident(m.ownedBy))); err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedSQL is the DDL of what all tables share.
func (s *Source) sharedSQL(createSchema bool) (string, error) {
	return render("journal.sql", struct {
		names
		Comment      string
		CreateSchema bool
	}{s.names, fmt.Sprintf(`{"rowsync":%d,"namespace":%q}`, format, s.names.namespace), createSchema})
}

// execScript runs any number of statements.
func execScript(ctx context.Context, tx pgx.Tx, sql string) error {
	_, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll()
	return err
}
