package load

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Enter makes a transaction that has just begun read in a scope.
type Enter func(ctx context.Context, tx pgx.Tx) error

// In returns a Loader that reads in the scope of that name, which is not "". It
// shares everything with l but what was read: that is kept apart by the scope's
// name. Each of its statements runs in a transaction of its own, which enter has
// made one of the scope. If enter fails, so does the read, and nothing of it is
// kept. Close l, not what In returns.
func (l *Loader) In(scope string, enter Enter) *Loader {
	in := *l
	in.scope, in.db = scope, scoped{l.db, enter}
	return &in
}

// subject names a group of things that is read in the Loader's scope.
func (l *Loader) subject(kind string, of any, tree string) subject {
	return subject{scope: l.scope, kind: kind, of: of, tree: tree}
}

// Begin begins a transaction that reads in a scope. Whoever takes it must roll
// it back, not commit: that undoes even what enter set for the whole session,
// which the next user of the connection would otherwise inherit
// (https://www.postgresql.org/docs/current/sql-set.html).
func Begin(ctx context.Context, db Querier, enter Enter) (pgx.Tx, error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	entered := false
	defer func() { // also if enter panics
		if !entered {
			Rollback(ctx, tx)
		}
	}()
	if err := enter(ctx, tx); err != nil {
		return nil, fmt.Errorf("enter scope: %w", err)
	}
	entered = true
	return tx, nil
}

// Rollback ends a transaction, also when ctx has ended. An error of it is of no
// interest: the pool then throws the connection away.
func Rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// scoped runs each query in a transaction that has entered a scope.
type scoped struct {
	Querier
	enter Enter
}

// Query implements [Querier]. The transaction ends when the rows are closed.
func (s scoped) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	tx, err := Begin(ctx, s.Querier, s.enter)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		Rollback(ctx, tx)
		return nil, err
	}
	return &scopedRows{Rows: rows, end: func() { Rollback(ctx, tx) }}, nil
}

// scopedRows ends its transaction when it is closed.
type scopedRows struct {
	pgx.Rows
	end func()
}

// Next implements [pgx.Rows], which are closed by reading to their end.
func (r *scopedRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close implements [pgx.Rows].
func (r *scopedRows) Close() {
	r.Rows.Close()
	if r.end != nil {
		r.end()
		r.end = nil
	}
}
