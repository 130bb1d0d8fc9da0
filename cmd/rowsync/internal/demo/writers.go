package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// writers write to the database at random until they are stopped, each on a
// connection of its own.
type writers struct {
	place *place
	meter *meter
	pace  *pace
	log   *slog.Logger
	stop  context.CancelFunc
	done  sync.WaitGroup

	// What they have done.
	transactions, changes, rolledBack atomic.Uint64
}

// stopLimit is how long a writer that is stopped may take to end what it is at.
const stopLimit = 3 * time.Second

func startWriters(ctx context.Context, p *place, m *meter, o options, log *slog.Logger) *writers {
	ctx, stop := context.WithCancel(ctx)
	w := &writers{place: p, meter: m, pace: newPace(o.rate), log: log, stop: stop}
	for i := range o.writers {
		w.done.Go(func() {
			// Writers with the same seed make the same choices; what comes of
			// them also depends on who comes first.
			w.run(ctx, rand.New(rand.NewPCG(o.seed, uint64(i))))
		})
	}
	return w
}

// end stops the writers and waits until they have ended.
func (w *writers) end() {
	w.stop()
	w.done.Wait()
}

// run writes until ctx ends, and connects again when the connection is lost.
func (w *writers) run(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		err := w.session(ctx, r)
		if ctx.Err() != nil {
			return
		}
		w.log.Warn("writer lost its connection and connects again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// session writes over one connection until ctx ends or the connection breaks.
func (w *writers) session(ctx context.Context, r *rand.Rand) error {
	conn, err := connect(ctx, w.place.url, "rowsync demo writer")
	if err != nil {
		return err
	}
	// A transaction that is under way when ctx ends is brought to its end, so
	// that it is known whether it was committed.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, cancel) })()
	defer conn.Close(work)

	ids, err := tableIDs(work, conn)
	if err != nil {
		return err
	}
	for w.pace.wait(ctx) {
		changed, err := w.transaction(work, conn, ids, r)
		var refused *pgconn.PgError
		switch {
		case errors.As(err, &refused) && !conn.IsClosed():
			w.rolledBack.Add(1)
			w.log.Log(work, severity(refused), "transaction refused", "err", err)
		case err != nil:
			return err
		}
		w.pace.spend(max(changed, 1))
	}
	return ctx.Err()
}

// severity returns how much an error of a transaction is worth telling.
// Deadlocks, and references to rows that are gone, are a writer's daily bread.
func severity(err *pgconn.PgError) slog.Level {
	switch err.Code {
	case "40001", "40P01", "23503", "23505": // serialization_failure, deadlock_detected, foreign_key_violation, unique_violation
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// transaction makes one random transaction and returns how many rows it changed.
func (w *writers) transaction(ctx context.Context, conn *pgx.Conn, ids []uint32, r *rand.Rand) (changed int, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	before, _, err := tally(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	truncated, err := write(ctx, tx, r)
	if err != nil {
		return 0, err
	}
	after, id, err := tally(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	if r.IntN(20) == 0 {
		w.rolledBack.Add(1)
		return 0, tx.Rollback(ctx)
	}
	if id != 0 {
		w.meter.committing(id)
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, err
	}
	changed = after - before + truncated
	if id != 0 {
		w.meter.committed(id, time.Now())
		w.transactions.Add(1)
		w.changes.Add(uint64(changed))
	}
	return changed, nil
}

// write runs the statements of a transaction. It returns how many tables it
// truncated.
func write(ctx context.Context, tx pgx.Tx, r *rand.Rand) (truncated int, err error) {
	if r.IntN(oneInTruncates) == 0 {
		tables := truncations[r.IntN(len(truncations))]
		_, err := tx.Exec(ctx, "truncate "+strings.Join(tables, ", "))
		return len(tables), err
	}
	for range 1 + max(0, r.IntN(6)-3) {
		s := choose(r)
		if _, err := tx.Exec(ctx, s.sql, s.args(r)...); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// tableIDs returns the object ids of the demo's tables.
func tableIDs(ctx context.Context, conn *pgx.Conn) ([]uint32, error) {
	rows, _ := conn.Query(ctx, "select unnest($1::text[])::regclass::oid", tables)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		return nil, fmt.Errorf("find the demo's tables: %w", err)
	}
	return ids, nil
}

// tally returns how many rows of the tables this session has changed so far,
// those that foreign keys changed with them too, and the transaction's id, 0
// if it has none yet. The count begins anew now and then between transactions,
// so only its growth within one means anything.
func tally(ctx context.Context, tx pgx.Tx, ids []uint32) (changed int, id uint64, err error) {
	var text string
	err = tx.QueryRow(ctx, `
		select sum(pg_stat_get_xact_tuples_inserted(t) + pg_stat_get_xact_tuples_updated(t) + pg_stat_get_xact_tuples_deleted(t))::bigint,
			coalesce(pg_current_xact_id_if_assigned()::text, '0')
		from unnest($1::oid[]) t`, ids).Scan(&changed, &text)
	if err != nil {
		return 0, 0, err
	}
	id, err = strconv.ParseUint(text, 10, 64)
	return changed, id, err
}
