package pgtrigger

import (
	"context"
	"errors"
	"fmt"
)

// maxWaiting is how many entries are a backlog however small they are, for
// each costs memory beside its values.
const maxWaiting = 1_000_000

// errBacklog says that a poll found more than should be taken in. All of it has
// been read off the connection.
var errBacklog = errors.New("a backlog beyond MaxBacklog")

// resume goes on at the cursor, unless more waits than should be taken in.
func (r *reader) resume() (int, error) {
	much, err := r.backlog(r.ses.ctx)
	if err != nil {
		return 0, err
	}
	if much {
		return 0, r.leap(r.tooMuch())
	}
	return r.poll()
}

// backlog reports whether more than MaxBacklog waits since the cursor. It reads
// what the journal's rows say of their size, not the values.
func (r *reader) backlog(ctx context.Context) (bool, error) {
	if err := r.ses.expectAnswer(); err != nil {
		return false, err
	}
	var much bool
	params := pollParams(r.cursor, r.defs)
	err := r.ses.conn.QueryRow(ctx, fmt.Sprintf(`
		select count(*) > %[2]d or coalesce(sum(size), 0) > $4 from (
			select coalesce(pg_column_size(was), 0) + coalesce(pg_column_size(now), 0) as size from %[1]s
			where xid >= $1::text::xid8 and def = any($3::text::bigint[])
			union all
			select coalesce(pg_column_size(was), 0) + coalesce(pg_column_size(now), 0) from %[1]s
			where xid = any($2::text::xid8[]) and def = any($3::text::bigint[])
			limit %[2]d + 1) waiting`, r.src.names.Journal, maxWaiting),
		string(params[0]), string(params[1]), string(params[2]), r.src.opts.MaxBacklog).Scan(&much)
	if err != nil {
		return false, fmt.Errorf("look at the backlog: %w", err)
	}
	return much, nil
}

// tooMuch is the reason of a Reset that stands in for a backlog.
func (r *reader) tooMuch() string {
	return fmt.Sprintf("more waited to be read than MaxBacklog (%d MiB, or %d entries)", r.src.opts.MaxBacklog>>20, maxWaiting)
}
