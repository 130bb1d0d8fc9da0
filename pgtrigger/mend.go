package pgtrigger

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/capture"
)

// mendTime is how long one look may spend on mending, which keeps the tables
// that are well from being read. What is left is mended by the next.
const mendTime = time.Second

// look compares everything with what it should be, mends what it can, and tells
// the Sink of what it can't. What is mended it puts down in r.mended, for the
// Sink to be told in the right order. Its error means that the session is done.
// Where nothing has changed since the last look, only what is in trouble is
// looked at again: its locks may be free now.
func (r *reader) look(ctx context.Context, changed bool) error {
	seen, err := r.fingerprint(ctx) // first: what changes meanwhile is looked at next time
	if err != nil {
		return err
	}
	if whole, err := r.lookAtJournal(ctx); err != nil || !whole {
		return err
	}
	suspects := r.inTrouble()
	if changed {
		if suspects, err = r.suspects(ctx); err != nil {
			return err
		}
	}
	until := time.Now().Add(mendTime)
	for _, c := range suspects {
		if r.ses.ctx != nil {
			if err := r.ses.expectAnswer(); err != nil {
				return err
			}
		}
		if err := r.lookAt(ctx, c, time.Now().Before(until)); err != nil {
			return err
		}
	}
	r.seen = seen
	r.src.trace("looked")
	return nil
}

// lookAtJournal looks at what all tables share and reports whether it is whole.
func (r *reader) lookAtJournal(ctx context.Context) (bool, error) {
	in, err := r.src.inspect(ctx, r.ses.conn, nil)
	if err != nil {
		return false, err
	}
	wrong := r.src.refusal(in)
	switch {
	case wrong == nil && in.complete():
		if r.trouble != nil || r.shapes != in.shapes {
			r.trouble, r.shapes = nil, in.shapes
			r.mended = append(r.mended, capture.Reset{Reason: "the journal was altered"})
		}
		return true, nil
	case wrong == nil:
		wrong = r.src.install(ctx, r.ses.conn, nil, r.src.tryLocks)
	}
	if r.ses.conn.IsClosed() {
		return false, wrong
	}
	if wrong != nil {
		if r.trouble == nil || r.trouble.Error() != wrong.Error() {
			r.trouble = wrong
			r.reset(capture.Reset{Reason: "no changes are captured", Err: wrong})
		}
		return false, nil
	}
	// Made anew: the next poll finds another journal and tells of it.
	if in, err = r.src.inspect(ctx, r.ses.conn, nil); err != nil {
		return false, err
	}
	if r.trouble != nil {
		r.mended = append(r.mended, capture.Reset{Reason: "changes are captured again"})
	}
	r.trouble, r.shapes = nil, in.shapes
	return true, nil
}

// suspects returns the tables that may not be as they should be: none, mostly.
func (r *reader) suspects(ctx context.Context) ([]*captured, error) {
	defs, err := r.src.resolve(ctx, r.ses.conn, r.tables)
	if err != nil {
		if r.broken(err) {
			return nil, err
		}
		return r.captured, nil // the error does not say which
	}
	in, err := r.src.inspect(ctx, r.ses.conn, defs)
	if err != nil {
		return nil, err
	}
	var list []*captured
	for i, c := range r.captured {
		d := defs[i]
		if c.trouble != nil || d.hash != c.def.hash || in.lacks(d) || in.installs[d] != c.install {
			list = append(list, c)
		}
	}
	return list, nil
}

// broken tells errors of reading the catalog from those that say what is wrong
// with a table.
func (r *reader) broken(err error) bool {
	var pgErr *pgconn.PgError
	return r.ses.conn.IsClosed() || errors.As(err, &pgErr)
}

// lookAt looks at one table, and mends it if it may.
func (r *reader) lookAt(ctx context.Context, c *captured, mayMend bool) error {
	defs, wrong := r.src.resolve(ctx, r.ses.conn, []*capture.Table{c.table})
	if wrong != nil {
		if r.broken(wrong) {
			return wrong
		}
		r.lost(c, wrong)
		return nil
	}
	if d := defs[0]; d.hash != c.def.hash {
		// A column's type asks for other SQL now.
		if err := r.adopt(ctx, c, d); err != nil {
			return err
		}
	}
	in, err := r.src.inspect(ctx, r.ses.conn, []*definition{c.def})
	if err != nil {
		return err
	}
	if in.lacks(c.def) {
		wrong = errors.New("its triggers are missing; they are put back soon")
		if mayMend {
			wrong = r.src.install(ctx, r.ses.conn, []*definition{c.def}, r.src.tryLocks)
		}
		if r.ses.conn.IsClosed() {
			return wrong
		}
		if wrong != nil {
			r.lost(c, wrong)
			return nil
		}
		r.src.dropStrays(ctx, r.ses.conn, c.def)
		if in, err = r.src.inspect(ctx, r.ses.conn, []*definition{c.def}); err != nil {
			return err
		}
	}
	if c.trouble != nil || c.install != in.installs[c.def] {
		r.src.dropStrays(ctx, r.ses.conn, c.def) // on a partition that was detached, say
		reason := "its triggers had been gone or were altered"
		if c.trouble != nil {
			reason = "its changes are captured again"
		}
		r.mended = append(r.mended, capture.Reset{Table: c.table, Reason: reason})
	}
	c.trouble, c.stirred, c.install = nil, false, in.installs[c.def]
	return nil
}

// adopt lets the reader read another definition of the table. The old one is a
// leftover from then on, unless others read it.
func (r *reader) adopt(ctx context.Context, c *captured, d *definition) error {
	old := c.def
	r.log.Info("rowsync: a table asks for another definition now", "table", c.table.String(), "old", old.hash, "new", d.hash)
	r.src.ended([]*definition{old})
	r.src.began([]*definition{d})
	c.def = d
	defs := make([]*definition, len(r.captured))
	for i, c := range r.captured {
		defs[i] = c.def
	}
	r.defs = newDefSet(defs)
	if err := r.claim(ctx); err != nil {
		return err
	}
	return r.disclaim(ctx, old)
}
