package rowsync

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Writer writes to the Client's database and marks what it writes as its
// Subscriber's own, see [Subscriber.ShouldUpdate]. It has the methods of a
// pgxpool.Pool that run statements, with the same parameters and results, so
// that it goes wherever such a pool, or the DBTX of generated code, is wanted.
// The mark is part of the transaction: what is rolled back or fails leaves no
// trace, and the connection goes back to the pool without it.
//
// Exec, Query, QueryRow and SendBatch run as one transaction each. A statement
// that must not run in one, such as VACUUM or CREATE INDEX CONCURRENTLY, fails
// with PostgreSQL's error: run it on the pool. They take one round trip, as on
// the pool; but an SQL text with a semicolon, which may be several statements,
// and arguments that are options of pgx, such as a [pgx.QueryExecMode], take
// three.
//
// Its methods may be called from any goroutine, also when the Subscriber is
// closed.
type Writer struct{ sub *Subscriber }

// Writer returns the Writer of the Subscriber's own writes.
func (s *Subscriber) Writer() *Writer { return &Writer{s} }

// Begin begins a transaction that is marked. Its Begin makes savepoints, as
// with pgx.
func (w *Writer) Begin(ctx context.Context) (pgx.Tx, error) {
	return w.BeginTx(ctx, pgx.TxOptions{})
}

// BeginTx is Begin with options.
func (w *Writer) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	opts.BeginQuery = markedBegin(opts, w.sub.tag())
	tx, err := w.sub.client.pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("begin marked transaction: %w", err)
	}
	return &writerTx{tx, w.sub}, nil
}

// markedBegin returns what begins a transaction and marks it, in one round trip.
// SET is no query, so that SET TRANSACTION may still follow
// (https://www.postgresql.org/docs/current/sql-set-transaction.html).
func markedBegin(opts pgx.TxOptions, tag string) string {
	begin := opts.BeginQuery
	if begin == "" {
		begin = "begin"
		if opts.IsoLevel != "" {
			begin += " isolation level " + string(opts.IsoLevel)
		}
		begin += " " + string(opts.AccessMode) + " " + string(opts.DeferrableMode)
	}
	quoted := strings.NewReplacer("'", "''", `\`, `\\`).Replace(tag)
	return begin + "\n; set local rowsync.origin = E'" + quoted + "'"
}

// writerTx is a transaction whose commit the Subscriber hears of.
type writerTx struct {
	pgx.Tx
	sub *Subscriber
}

// Commit commits, also if it returns an error: the answer may have been lost.
func (tx *writerTx) Commit(ctx context.Context) error {
	defer tx.sub.wrote()
	return tx.Tx.Commit(ctx)
}

// Exec runs a statement, or without arguments several.
func (w *Writer) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if plain(sql, args) {
		br := w.sendOne(ctx, sql, args)
		tag, err = br.Exec()
		if closeErr := br.Close(); err == nil {
			err = closeErr
		}
	} else {
		err = pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
			tag, err = tx.Exec(ctx, sql, args...)
			return err
		})
	}
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return tag, nil
}

// Query runs a statement that returns rows. It is committed when the rows are
// closed or read to their end; ask the rows for their error after that.
func (w *Writer) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if plain(sql, args) {
		br := w.sendOne(ctx, sql, args)
		rows, err := br.Query()
		if err != nil {
			_ = br.Close()
			return rows, err
		}
		return &writerRows{Rows: rows, end: endBatch(br)}, nil
	}
	tx, err := w.Begin(ctx)
	if err != nil {
		return failed{err}, err
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return rows, err
	}
	return &writerRows{Rows: rows, end: endTx(ctx, tx)}, nil
}

// QueryRow runs a statement of which the first row is read. It is committed by
// the row's Scan, which returns an error of that too.
func (w *Writer) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := w.Query(ctx, sql, args...)
	if err != nil {
		return failed{err}
	}
	return writerRow{rows}
}

// SendBatch sends a batch as one transaction, which is committed when the
// results are closed. A batch that begins a transaction itself, by its BeginTx,
// is refused: use [Writer.Begin].
func (w *Writer) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	marked := *b // which may begin a transaction
	mark := (&pgx.Batch{}).Queue(markStatement, w.sub.tag())
	marked.QueuedQueries = append([]*pgx.QueuedQuery{mark}, b.QueuedQueries...)
	br := w.sub.client.pool.SendBatch(ctx, &marked)
	if tx := br.Tx(); tx != nil {
		_ = br.Close()
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return pgx.FailedBatchResults(b, fmt.Errorf("send batch: it begins a transaction: call Begin of the Writer, and SendBatch of what that returns"))
	}
	_, _ = br.Exec() // of the mark; its error comes again with the next result
	return &writerBatch{br, w.sub}
}

// sendOne sends a statement behind the mark.
func (w *Writer) sendOne(ctx context.Context, sql string, args []any) pgx.BatchResults {
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	return w.SendBatch(ctx, b)
}

// CopyFrom copies rows into a table, see [pgx.Conn.CopyFrom].
func (w *Writer) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	err = pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
		n, err = tx.CopyFrom(ctx, table, columns, rows)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// plain reports whether a statement can be sent in a batch, which takes one
// statement for each of its entries, none that is empty (pgx panics, and the
// connection stays taken), and no options of pgx.
func plain(sql string, args []any) bool {
	if sql == "" || strings.Contains(sql, ";") {
		return false
	}
	for _, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			return false
		}
	}
	return true
}
