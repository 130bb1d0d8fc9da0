package rowsync

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// markStatement sets the mark until the transaction ends, or rolls back to a
	// savepoint from before it
	// (https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SET).
	markStatement = "select pg_catalog.set_config('rowsync.origin', $1, true)"
	// checkStatement fails if the mark is gone, as it is after each statement
	// that is a transaction by itself. The text that is no number is the message.
	checkStatement = `select case when current_setting('rowsync.origin', true) = $1 then 0
		else ('no transaction is open' || coalesce(nullif(current_setting('rowsync.origin', true), ''), ''))::int end`
)

// Execer is what [Subscriber.Mark] needs of a transaction of pgx.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// SQLExecer is what [Subscriber.MarkSQL] needs of a transaction of database/sql.
type SQLExecer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Mark marks a transaction of pgx that is open: what it writes from now on is
// the Subscriber's own, see [Subscriber.ShouldUpdate]. The mark ends with the
// transaction, or with a savepoint from before it that is rolled back to, and
// never stays with the connection.
//
// Anything with pgx's Exec will do if it is in a transaction; if it is in none,
// the mark has no effect, and an error says so. A tx that is no [pgx.Tx] costs a
// second round trip to find that out. An error may leave tx failed, as any
// statement's does.
func (s *Subscriber) Mark(ctx context.Context, tx Execer) error {
	_, known := tx.(pgx.Tx)
	return s.mark(ctx, known, func(query string, args ...any) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// MarkSQL is [Subscriber.Mark] for database/sql and what stands on it: a
// [*sql.Tx], or what an ORM has for a transaction. The driver must take
// parameters as $1.
func (s *Subscriber) MarkSQL(ctx context.Context, tx SQLExecer) error {
	_, known := tx.(*sql.Tx)
	return s.mark(ctx, known, func(query string, args ...any) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// mark marks by exec; known says that it is in a transaction for sure.
func (s *Subscriber) mark(ctx context.Context, known bool, exec func(query string, args ...any) error) error {
	s.own.byHand.Store(true)
	tag := s.tag()
	if err := exec(markStatement, tag); err != nil {
		return fmt.Errorf("mark transaction: %w", err)
	}
	if known {
		return nil
	}
	if err := exec(checkStatement, tag); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("mark transaction: %w", err)
		}
		return fmt.Errorf("mark transaction: the mark did not last to the next statement: begin a transaction and pass that: %w", err)
	}
	return nil
}
