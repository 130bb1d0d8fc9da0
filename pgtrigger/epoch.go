package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/capture"
)

// ensureEpoch gives the journal an epoch unless it has one that belongs to it.
// The epoch is lost with the journal's contents when the server crashes; and it
// is another journal's if the cluster, the database or the journal's file is
// not the one that it was given in.
func (s *Source) ensureEpoch(ctx context.Context, conn *pgx.Conn) error {
	var identity string
	var current bool
	err := conn.QueryRow(ctx, fmt.Sprintf(`
		with i as (select concat_ws('/', (select system_identifier from pg_control_system()),
			(select oid from pg_database where datname = current_database()),
			%[1]s::regclass::oid, pg_relation_filenode(%[1]s::regclass)) as identity)
		select i.identity, exists (select from %[2]s s where s.identity = i.identity) from i`,
		literal(s.names.Journal), s.names.State)).Scan(&identity, &current)
	if err != nil {
		return fmt.Errorf("read epoch: %w", err)
	}
	if current {
		return nil
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`
		insert into %s as s (identity) values ($1)
		on conflict (one) do update
			set epoch = excluded.epoch, identity = excluded.identity, floor = null, next = null, next_at = null
			where s.identity <> excluded.identity`, s.names.State), identity)
	if err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	// A dump holds the journal's rows. Restored in another cluster, they may bear
	// the ids of transactions to come, and be read again and again until then.
	_, err = conn.Exec(ctx, fmt.Sprintf("delete from %s where xid >= pg_snapshot_xmax(pg_current_snapshot())", s.names.Journal))
	if err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	return nil
}

// gap says why the journal does not hold everything between the cursor and
// now, or "".
func (r *reader) gap(now horizon) string {
	switch {
	case now.epoch == "", now.epoch != r.epoch, r.file != "" && now.file != r.file:
		return "the journal was emptied or begun anew, as after a crash of the server"
	case now.snapshot.xmax < r.cursor.xmax:
		return "the database went back in time, as a restored one does"
	}
	r.file = now.file
	if now.floor == r.floor {
		return ""
	}
	floor, err := parseSnapshot(now.floor)
	if err != nil || !r.cursor.reaches(floor) {
		return "the journal no longer holds the changes since the last one seen"
	}
	r.floor = now.floor
	return ""
}

// leap goes on after a gap: the cursor is moved first, so that a load that the
// Reset causes misses nothing.
func (r *reader) leap(why string) error {
	if err := r.ses.expectAnswer(); err != nil {
		return err
	}
	if err := r.src.ensureEpoch(r.ses.ctx, r.ses.conn); err != nil {
		return err
	}
	if err := r.jump(); err != nil {
		return err
	}
	r.doubt()
	r.mended = nil // all of it is in this
	r.reset(capture.Reset{Reason: why})
	return nil
}

// jump moves the cursor to now without reading what lies between.
func (r *reader) jump() error {
	r.ses.bells = r.ses.bells[:0] // those that come with the answer may be later
	now, _, err := r.ses.poll(snapshot{xmax: math.MaxUint64}, r.defs)
	if err != nil {
		return err
	}
	if now.epoch == "" {
		return errors.New("read epoch: the journal has none")
	}
	clear(r.ahead)
	r.cursor, r.epoch, r.floor, r.file = now.snapshot, now.epoch, now.floor, now.file
	r.plan(0)
	return nil
}
