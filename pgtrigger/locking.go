package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/capture"
)

// job is DDL that needs locks which other transactions may hold.
type job struct {
	doing string         // what it does, for messages: "install capture of public.posts"
	table *capture.Table // whose lock it needs, or nil
	do    func(pgx.Tx) error
}

// locking is a way to run a job in a transaction that holds the namespace's
// install lock: [Source.retryLocks] or [Source.tryLocks].
type locking func(ctx context.Context, db beginner, j job) error

// beginner is a connection or a pool.
type beginner interface {
	querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Codes of errors (SQLSTATE).
const (
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"

	queryCanceled         = "57014"
	insufficientPrivilege = "42501"
)

// lockedOut reports whether the error says that a lock was not to be had.
func lockedOut(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{lockNotAvailable, deadlockDetected, queryCanceled}, pgErr.Code)
}

// underLock runs do in a transaction that holds the namespace's install lock.
// Waiting for another install harms no writer; waiting for a table does.
func (s *Source) underLock(ctx context.Context, db beginner, queue bool, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		timeout := fmt.Sprintf("set local lock_timeout = %d", s.opts.LockTimeout.Milliseconds())
		if !queue {
			if _, err := tx.Exec(ctx, timeout); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, $2)", s.names.Class, installKey); err != nil {
			return err
		}
		if queue {
			if _, err := tx.Exec(ctx, timeout); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// tryLocks makes one attempt, for a reader that has other tables to follow.
func (s *Source) tryLocks(ctx context.Context, db beginner, j job) error {
	err := s.underLock(ctx, db, false, j.do)
	switch {
	case lockedOut(err):
		return fmt.Errorf("%s: a lock was not to be had within %v; it will be tried again: %w", j.doing, s.opts.LockTimeout, err)
	case err != nil:
		return fmt.Errorf("%s: %w", j.doing, err)
	}
	return nil
}

// retryLocks makes attempts, with pauses in which writers go on, until
// InstallTimeout has passed.
func (s *Source) retryLocks(ctx context.Context, db beginner, j job) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.InstallTimeout)
	defer cancel()
	began, told := time.Now(), time.Time{}
	retry := backoff{}
	for {
		err := s.underLock(ctx, db, true, j.do)
		if err == nil {
			return nil
		}
		if !lockedOut(err) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%s: %w", j.doing, err)
		}
		if time.Since(told) > tellEvery {
			told = time.Now()
			s.opts.Logger.Info("rowsync: waiting for a lock that other transactions hold", "to", j.doing,
				"since", time.Since(began).Round(time.Millisecond), "held_by", s.holders(ctx, db, j.table))
		}
		if !sleep(ctx, min(4*retry.next(), time.Second)) {
			return fmt.Errorf("%s: a lock was not to be had within %v, for other transactions stay open: %w",
				j.doing, s.opts.InstallTimeout, err)
		}
	}
}

// holders says which sessions hold a lock on the table, the oldest transaction
// first; "" if that can't be found out.
func (s *Source) holders(ctx context.Context, db querier, table *capture.Table) string {
	if table == nil {
		return ""
	}
	rows, err := db.Query(ctx, `
		select distinct on (a.xact_start, l.pid) concat_ws(' ', 'pid ' || l.pid, quote_ident(nullif(a.application_name, '')),
			'for ' || date_trunc('milliseconds', clock_timestamp() - a.xact_start))
		from pg_catalog.pg_locks l
		join pg_catalog.pg_class c on c.oid = l.relation and c.relname = $2
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
		left join pg_catalog.pg_stat_activity a on a.pid = l.pid
		where l.granted and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
			and l.mode not in ('AccessShareLock', 'RowShareLock') and l.pid <> pg_backend_pid()
		order by a.xact_start, l.pid limit 5`, table.Schema, table.Name)
	if err != nil {
		return ""
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return ""
	}
	return strings.Join(list, ", ")
}
