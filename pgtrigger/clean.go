package pgtrigger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// cleanBatch is how many entries are removed in one transaction.
const cleanBatch = 2000

// cleanUntil removes old entries from time to time until ctx ends. Of all nodes
// only one at a time does.
func (s *Source) cleanUntil(ctx context.Context) {
	for sleep(ctx, max(s.opts.Retention/2, time.Second)) {
		removed, err := s.clean(ctx, s.opts.Retention)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.opts.Logger.Warn("rowsync: could not clean the journal; it will be tried again", "err", err)
		case removed > 0:
			s.opts.Logger.Debug("rowsync: cleaned the journal", "entries", removed)
		}
	}
}

// clean removes the entries that are older than the retention. The floor is
// raised and committed before any entry goes, so that whoever misses one also
// sees that it may be gone. No writer waits for any of it.
func (s *Source) clean(ctx context.Context, retention time.Duration) (int, error) {
	floor, err := s.raiseFloor(ctx, retention)
	if err != nil || floor == "" {
		return 0, err
	}
	removed := 0
	for from := uint64(0); ; {
		n, last, err := s.removeBatch(ctx, floor, from)
		removed += n
		if err != nil {
			return removed, err
		}
		if n < cleanBatch {
			break
		}
		from = last
	}
	if removed == 0 {
		return 0, nil
	}
	// Only the owner may; for others autovacuum does it in its own time.
	_, err = s.pool.Exec(ctx, "vacuum (truncate false) "+s.names.Journal)
	return removed, err
}

// inCleaning runs do in a transaction that holds the cleaning lock, if it is free.
func (s *Source) inCleaning(ctx context.Context, do func(pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	return pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		var mine bool
		err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1, $2)", s.names.Class, cleanKey).Scan(&mine)
		if err != nil || !mine {
			return err
		}
		// The pool's sessions have the application's settings.
		_, err = tx.Exec(ctx, `select set_config('statement_timeout', '60s', true), set_config('enable_seqscan', 'off', true)`)
		if err != nil {
			return err
		}
		return do(tx)
	})
}

// raiseFloor makes the snapshot that was taken a retention ago the floor and
// takes the next. It returns the floor if there was one to raise.
func (s *Source) raiseFloor(ctx context.Context, retention time.Duration) (string, error) {
	var floor string
	err := s.inCleaning(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`
			update %s set floor = next, next = pg_current_snapshot(), next_at = clock_timestamp()
			where next_at is null or next_at <= clock_timestamp() - make_interval(secs => $1)
			returning coalesce(floor::text, '')`, s.names.State), retention.Seconds())
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&floor}, func() error { return nil })
		return err
	})
	if err != nil {
		return "", fmt.Errorf("raise the journal's floor: %w", err)
	}
	return floor, nil
}

// removeBatch removes entries below floor, beginning with those of transaction
// from. It returns how many, and the last one's transaction.
func (s *Source) removeBatch(ctx context.Context, floor string, from uint64) (n int, last uint64, err error) {
	err = s.inCleaning(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`
			delete from %[1]s where ctid = any (array(
				select ctid from %[1]s
				where xid >= $2::text::xid8 and xid < pg_snapshot_xmax($1::text::pg_snapshot)
					and pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
				order by xid limit %[2]d))
			returning xid::text`, s.names.Journal, cleanBatch), floor, strconv.FormatUint(from, 10))
		if err != nil {
			return err
		}
		var text string
		_, err = pgx.ForEachRow(rows, []any{&text}, func() error {
			n++
			xid, err := strconv.ParseUint(text, 10, 64)
			last = max(last, xid)
			return err
		})
		return err
	})
	if err != nil {
		return n, last, fmt.Errorf("remove old entries: %w", err)
	}
	return n, last, nil
}
