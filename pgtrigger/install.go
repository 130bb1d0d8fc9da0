package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// seeSQL ends errors that somebody with more privileges can mend.
const seeSQL = "let a role with the privileges run the statements that Source.SQL returns, then start again"

// install makes sure that everything is there. With nothing missing it runs no
// DDL and takes no locks.
//
// What all tables share is made in one transaction and the triggers of each
// table in one of its own, so that no table's writers wait for another table's
// lock; an install that was broken off is finished by the next one.
func (s *Source) install(ctx context.Context, conn *pgx.Conn, defs []*definition) error {
	in, err := s.inspect(ctx, conn, defs)
	if err != nil {
		return err
	}
	if in.complete() {
		return in.obstacles(s.names)
	}
	if s.opts.VerifyOnly {
		return fmt.Errorf("capture is not installed and option VerifyOnly forbids to do it: missing are %s; %s",
			in.missing(s.names), seeSQL)
	}
	if err := in.obstacles(s.names); err != nil {
		return fmt.Errorf("install capture: %w; %s", err, seeSQL)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.InstallTimeout)
	defer cancel()
	err = s.retryLocks(ctx, conn, "the shared objects", func(tx pgx.Tx) error { return s.installShared(ctx, tx, defs) })
	if err != nil {
		return err
	}
	for _, d := range defs {
		if !in.lacks(d) {
			continue
		}
		err := s.retryLocks(ctx, conn, d.table.String(), func(tx pgx.Tx) error { return s.installTriggers(ctx, tx, d) })
		if err != nil {
			return err
		}
		s.opts.Logger.Info("rowsync: installed triggers", "table", d.table.String(), "definition", d.hash)
	}
	return nil
}

// retryLocks runs do in a transaction that holds the namespace's install lock,
// again and again while a lock that it needs is not to be had.
func (s *Source) retryLocks(ctx context.Context, conn *pgx.Conn, what string, do func(pgx.Tx) error) error {
	retry := backoff{}
	for {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			// Waiting for another install harms nobody; waiting for a table does.
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, $2)", s.names.Class, installKey); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, fmt.Sprintf("set local lock_timeout = %d", s.opts.LockTimeout.Milliseconds())); err != nil {
				return err
			}
			return do(tx)
		})
		if err == nil {
			return nil
		}
		var pgErr *pgconn.PgError
		locked := errors.As(err, &pgErr) && (pgErr.Code == lockNotAvailable || pgErr.Code == deadlockDetected)
		if !locked && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("install capture of %s: %w", what, err)
		}
		pause := min(4*retry.next(), time.Second)
		s.opts.Logger.Info("rowsync: waiting for writers before triggers can be created", "on", what, "pause", pause)
		if !sleep(ctx, pause) {
			return fmt.Errorf("install capture of %s: a lock was not to be had within %v, for other transactions stay open: %w",
				what, s.opts.InstallTimeout, err)
		}
	}
}

// Codes of errors (SQLSTATE).
const (
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
)

// installShared creates the schema, its tables and the functions where missing.
func (s *Source) installShared(ctx context.Context, tx pgx.Tx, defs []*definition) error {
	in, err := s.inspect(ctx, tx, defs)
	if err != nil {
		return err
	}
	if !in.schema || !in.journal || !in.state {
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

// installTriggers creates the triggers that the table lacks.
func (s *Source) installTriggers(ctx context.Context, tx pgx.Tx, d *definition) error {
	in, err := s.inspect(ctx, tx, []*definition{d})
	if err != nil {
		return err
	}
	for _, missing := range in.triggers {
		if err := execScript(ctx, tx, d.triggers[missing.op]); err != nil {
			return err
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
