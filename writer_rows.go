package rowsync

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// writerBatch are results whose commit the Subscriber hears of.
type writerBatch struct {
	pgx.BatchResults
	sub *Subscriber
}

func (b *writerBatch) Close() error {
	defer b.sub.wrote()
	return b.BatchResults.Close()
}

// writerRows are rows that end a transaction when they are closed.
type writerRows struct {
	pgx.Rows
	// end is given the error of the rows, and returns that or its own.
	end func(error) error
	err error
}

func (r *writerRows) Close() {
	if r.end == nil {
		return
	}
	end := r.end
	r.end = nil
	r.Rows.Close()
	r.err = end(r.Rows.Err())
}

func (r *writerRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.Rows.Err()
}

// Next, Scan and Values close the rows at their end and after an error, for
// callers that then never close them.

func (r *writerRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *writerRows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *writerRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// endBatch ends the transaction that a batch is.
func endBatch(br pgx.BatchResults) func(error) error {
	return func(err error) error {
		if closeErr := br.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

// endTx ends a transaction as PostgreSQL ends one of a single statement: what
// goes wrong with reading its rows does not undo it.
func endTx(ctx context.Context, tx pgx.Tx) func(error) error {
	return func(err error) error {
		commitErr := tx.Commit(ctx)
		if err == nil {
			err = commitErr
		}
		return err
	}
}

// writerRow is the first of some rows.
type writerRow struct{ rows pgx.Rows }

func (r writerRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if slices.ContainsFunc(dest, func(d any) bool { _, raw := d.(*pgtype.DriverBytes); return raw }) {
		return errors.New("cannot scan into *pgtype.DriverBytes from QueryRow: the bytes would not outlive it")
	}
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// failed is the row, or the rows, of a statement that could not be sent.
type failed struct{ err error }

func (failed) Close()                                       {}
func (f failed) Err() error                                 { return f.err }
func (failed) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failed) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failed) Next() bool                                   { return false }
func (f failed) Scan(...any) error                          { return f.err }
func (f failed) Values() ([]any, error)                     { return nil, f.err }
func (failed) RawValues() [][]byte                          { return nil }
func (failed) Conn() *pgx.Conn                              { return nil }
func (failed) TypeMap() *pgtype.Map                         { return nil }
