package pgtrigger

import (
	"context"
	"errors"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// checkInterval is how often the reader looks whether its triggers are there.
const checkInterval = 15 * time.Second

var errGone = errors.New("triggers are missing")

// install makes sure that changes are captured, before a session begins.
func (r *reader) install(ctx context.Context) error {
	r.checked = time.Now()
	if !r.isStarted() {
		defs, err := r.src.resolve(ctx, r.ses.conn, r.tables)
		if err != nil {
			return err
		}
		r.defs = newDefSet(defs)
		if err := r.src.install(ctx, r.ses.conn, defs); err != nil {
			return err
		}
		return r.look(ctx)
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	for d, missing := range r.blind {
		if !missing {
			continue
		}
		// What is wrong with one table must not keep the others from being
		// followed. Should the journal itself be gone, reading it will say so.
		if err := r.src.install(ctx, r.ses.conn, []*definition{d}); err != nil {
			r.log.Error("rowsync: the changes of a table are not captured", "table", d.table.String(), "err", err)
		}
	}
	return r.look(ctx)
}

// look brings blind up to date.
func (r *reader) look(ctx context.Context) error {
	in, err := r.src.inspect(ctx, r.ses.conn, r.defs.all)
	if err != nil {
		return err
	}
	for _, d := range r.defs.all {
		missing := in.lacks(d) || !in.journal || !in.state
		known, seen := r.installs[d]
		anew := seen && known != in.installs[d] // by another node, say
		if _, was := r.blind[d]; missing || was || anew {
			r.blind[d] = missing
		}
		if !missing {
			r.installs[d] = in.installs[d]
		}
	}
	return nil
}

// resetMended tells the sink of tables whose triggers are back.
func (r *reader) resetMended() {
	for d, missing := range r.blind {
		if !missing {
			delete(r.blind, d)
			r.reset(capture.Reset{Table: d.table, Reason: "its triggers had been gone"})
		}
	}
}

// check makes sure, from time to time, that nobody has dropped a trigger or
// made a table anew. Beginning a new session mends what is missing.
func (r *reader) check() error {
	if r.src.opts.SafetyPoll < 0 || time.Since(r.checked) < checkInterval {
		return nil
	}
	r.checked = time.Now()
	if err := r.ses.expectAnswer(); err != nil {
		return err
	}
	known := len(r.blind)
	if err := r.look(r.ses.ctx); err != nil {
		return err
	}
	if known == 0 && len(r.blind) == 0 {
		return nil
	}
	return errGone
}
