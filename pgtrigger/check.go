package pgtrigger

import (
	"context"
	"log/slog"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// captured is what the reader knows of one of its tables.
type captured struct {
	table   *capture.Table
	def     *definition
	install string // its triggers as they were last seen, see inspection
	trouble error  // why its changes are not captured; nil: they are
	stirred bool   // in trouble, it was changed since the Sink was last told
}

// install makes sure that changes are captured, before a session begins.
func (r *reader) install(ctx context.Context) error {
	r.checked, r.suspicious = time.Now(), false
	r.claimed = map[int32]bool{}
	if r.isStarted() {
		if err := r.claim(ctx); err != nil {
			return err
		}
		return r.look(ctx, true)
	}
	defs, err := r.src.resolve(ctx, r.ses.conn, r.tables)
	if err != nil {
		return err
	}
	r.defs = newDefSet(defs)
	if err := r.claim(ctx); err != nil {
		return err
	}
	if err := r.src.install(ctx, r.ses.conn, defs, r.src.retryLocks); err != nil {
		return err
	}
	if r.seen, err = r.fingerprint(ctx); err != nil {
		return err
	}
	in, err := r.src.inspect(ctx, r.ses.conn, defs)
	if err != nil {
		return err
	}
	r.captured = nil
	for _, d := range defs {
		r.captured = append(r.captured, &captured{table: d.table, def: d, install: in.installs[d]})
	}
	r.shapes = in.shapes
	if !in.complete() { // somebody has altered it since
		r.seen, r.suspicious = "", true
	}
	r.src.dropStrays(ctx, r.ses.conn, defs...)
	return nil
}

// check looks, from time to time and when something seems wrong, whether
// anything has changed that capture depends on.
func (r *reader) check() error {
	due := r.src.opts.SafetyPoll > 0 && time.Since(r.checked) >= r.src.opts.SafetyPoll
	if !due && !r.suspicious {
		return nil
	}
	r.checked, r.suspicious = time.Now(), false
	if err := r.ses.expectAnswer(); err != nil {
		return err
	}
	seen, err := r.fingerprint(r.ses.ctx)
	if err != nil {
		return err
	}
	if seen == r.seen && !r.troubled() {
		return nil
	}
	if err := r.look(r.ses.ctx, seen != r.seen); err != nil {
		return err
	}
	if due {
		r.tellStirred()
	}
	if len(r.mended) == 0 {
		return nil
	}
	if _, err := r.poll(); err != nil { // so that a Reset of everything, if there is one, comes first
		return err
	}
	r.tellMended()
	return nil
}

// troubled reports whether the changes of a table are not captured.
func (r *reader) troubled() bool { return r.trouble != nil || len(r.inTrouble()) > 0 }

// inTrouble returns the tables whose changes are not captured.
func (r *reader) inTrouble() []*captured {
	var list []*captured
	for _, c := range r.captured {
		if c.trouble != nil {
			list = append(list, c)
		}
	}
	return list
}

// suspect makes check look at once: a statement's rows could not be read. That
// is known of a table that is in trouble, and then looking takes its time.
func (r *reader) suspect(d *definition) {
	for _, c := range r.captured {
		if c.def == d && c.trouble == nil {
			r.suspicious = true
		}
	}
}

// putOff reports whether the definition's table is known to be in trouble. Then
// its statements do not cause a Reset each, but one together in a SafetyPoll.
func (r *reader) putOff(d *definition) bool {
	for _, c := range r.captured {
		if c.def == d && c.trouble != nil && r.src.opts.SafetyPoll > 0 {
			c.stirred = true
			return true
		}
	}
	return false
}

// tellStirred tells the Sink of what was put off.
func (r *reader) tellStirred() {
	for _, c := range r.captured {
		if c.stirred && c.trouble != nil {
			r.reset(capture.Reset{Table: c.table, Reason: "it was changed while its changes are not captured"})
		}
		c.stirred = false
	}
}

// lost tells of a table whose changes are not captured, once for each reason.
func (r *reader) lost(c *captured, wrong error) {
	if c.trouble != nil && c.trouble.Error() == wrong.Error() {
		return
	}
	c.trouble = wrong
	r.reset(capture.Reset{Table: c.table, Reason: "its changes are not captured", Err: wrong})
}

// tellMended tells the Sink of what look has mended.
func (r *reader) tellMended() {
	mended := r.mended
	r.mended = nil
	for _, reset := range mended {
		if reset.Table == nil {
			r.doubt()
			r.reset(reset)
			return // which stands for all of them
		}
	}
	for _, reset := range mended {
		r.reset(reset)
	}
}

// reset tells the Sink of a gap.
func (r *reader) reset(reset capture.Reset) {
	table := "all"
	if reset.Table != nil {
		table = reset.Table.String()
	}
	if reset.Err != nil {
		r.log.Error("rowsync: changes are not captured", "table", table, "err", reset.Err)
	} else {
		r.often.tell(slog.LevelWarn, "reset "+table+reset.Reason, "rowsync: changes may have been missed", "table", table, "reason", reset.Reason)
	}
	r.sink.Reset(reset)
}
