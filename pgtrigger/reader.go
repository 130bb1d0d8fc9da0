package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// mode is how a reader learns of new entries.
type mode uint8

const (
	// awake: it polls, and no writer rings.
	awake mode = iota
	// drowsy: every writer that comes rings, but some that came before may
	// still be open, so it polls as well, at every bell and at every interval.
	drowsy
	// asleep: whoever commits from here on rings. It only listens.
	asleep
)

func (m mode) String() string { return [...]string{"awake", "drowsy", "asleep"}[m] }

// event is something a test can wait for or hold up: a mode that was
// entered, a poll that ended ("polled"), a mark taken ("marked").
type event string

// maxAhead is how many entries may have been delivered ahead of the cursor
// before a poll moves it, so that remembering them costs little.
const maxAhead = 1000

// reader is one run of a Source. Its methods are called by one goroutine.
type reader struct {
	src    *Source
	log    *slog.Logger
	often  often
	tables []*capture.Table
	sink   capture.Sink

	// These live as long as the run.
	sessions int // how many got as far as to capture
	defs     *defSet
	started  chan struct{} // closed once the Sink has been told
	wanted   []string      // the definitions it began with; not altered after that
	cursor   snapshot      // whatever it sees has been delivered
	epoch    string        // of the journal that cursor belongs to
	// ahead holds the entries that have been delivered from bells although
	// the cursor does not see them yet.
	ahead    map[entryID]struct{}
	captured []*captured // the tables, in the order of tables
	trouble  error       // why no changes are captured at all; nil: they are
	shapes   string      // of the journal's tables, see inspection
	seen     string      // the fingerprint of the catalog when it was last looked at
	mended   []capture.Reset
	away     time.Time // since when the connection is lost; zero: it is not
	attempts int       // to connect, since then
	awayTold bool      // that was logged
	// unsure is the transaction below which some may have written unseen, while the
	// journal was not there, that had not ended when the Sink was told; 0: none.
	unsure uint64

	// These belong to the session.
	ses     *session
	file    string // of the journal
	floor   string // the last one that the cursor was found to reach
	mode    mode
	mark    uint64 // the transaction that all others must have ended before it sleeps
	pace    pace
	claimed map[int32]bool // the keys whose locks are held, see claim
	checked time.Time      // when the catalog was last looked at
	// suspicious: something seems to be wrong, so check does not wait.
	suspicious bool
}

func newReader(s *Source, tables []*capture.Table, sink capture.Sink) *reader {
	return &reader{src: s, log: s.opts.Logger, often: often{log: s.opts.Logger}, tables: tables, sink: sink,
		started: make(chan struct{}), ahead: map[entryID]struct{}{}}
}

func (r *reader) isStarted() bool {
	select {
	case <-r.started:
		return true
	default:
		return false
	}
}

// session connects, and reads until the connection breaks or ctx ends.
func (r *reader) session(ctx context.Context) error {
	ses, err := r.src.connect(ctx)
	if err != nil {
		return err
	}
	defer ses.close()
	r.ses = ses
	if err := r.install(ctx); err != nil {
		return err
	}
	if err := r.listen(ctx); err != nil {
		return err
	}
	defer ses.watch(ctx)()
	if err := r.begin(); err != nil {
		return err
	}
	r.sessions++
	return r.follow()
}

// listen readies the session for bells and polls.
func (r *reader) listen(ctx context.Context) error {
	if _, err := r.ses.conn.Exec(ctx, "listen "+ident(r.src.names.Channel)); err != nil {
		return fmt.Errorf("listen %q: %w", r.src.names.Channel, err)
	}
	if err := r.src.ensureEpoch(ctx, r.ses.conn); err != nil {
		return err
	}
	return r.ses.preparePoll(ctx, r.src.names)
}

// begin takes the first snapshot of the run, or resumes at the cursor.
func (r *reader) begin() error {
	r.floor, r.file = "", ""
	r.pace = newPace(time.Now())
	r.enter(awake)
	if !r.isStarted() {
		if err := r.jump(); err != nil {
			return err
		}
		r.src.began(r.defs.all)
		for _, d := range r.defs.all {
			r.wanted = append(r.wanted, d.hash)
		}
		close(r.started)
		r.sink.Started()
		return nil
	}
	found, err := r.resume()
	if err != nil {
		return err
	}
	if r.awayTold {
		r.log.Info("rowsync: capture resumed", "away", time.Since(r.away).Round(time.Millisecond), "attempts", r.attempts, "entries", found)
	}
	r.away, r.attempts, r.awayTold = time.Time{}, 0, false
	r.tellMended()
	return nil
}

// follow reads until the connection breaks or the context ends.
func (r *reader) follow() error {
	for {
		err := r.step()
		if err == nil {
			err = r.check()
		}
		if err != nil {
			return err
		}
	}
}

// step waits for the next thing to do in the reader's mode and does it.
func (r *reader) step() error {
	if r.mode == awake {
		if !sleep(r.ses.ctx, time.Until(r.pace.nextPoll)) {
			return r.ses.ctx.Err()
		}
		if _, err := r.poll(); err != nil {
			return err
		}
		if r.pace.calm(time.Now()) && !r.src.opts.NoBell && r.unsure == 0 {
			return r.doze()
		}
		return nil
	}
	rung, err := r.ses.await(r.pace.nextPoll)
	if err != nil {
		return err
	}
	if rung {
		return r.answer()
	}
	if _, err := r.poll(); err != nil {
		return err
	}
	return nil
}

// enter changes the mode.
func (r *reader) enter(m mode) {
	r.mode = m
	r.log.Debug("rowsync: reader changes", "mode", m.String())
	r.src.trace(event(m.String()))
}

// poll reads and delivers what is new since the cursor, moves the cursor, and
// plans the next poll. It returns how many entries it found.
func (r *reader) poll() (int, error) {
	r.ses.bells = r.ses.bells[:0] // the poll will see whatever they are about
	now, entries, err := r.ses.poll(r.cursor, r.defs)
	if errors.Is(err, errBacklog) {
		return 0, r.leap(r.tooMuch())
	}
	if err != nil {
		return 0, err
	}
	if gap := r.gap(now); gap != "" {
		return 0, r.leap(gap)
	}
	r.deliver(r.unseen(entries))
	r.moveTo(now.snapshot)
	if r.unsure > 0 && r.cursor.xmin >= r.unsure {
		r.unsure = 0
		r.reset(capture.Reset{Reason: "transactions that were open when the journal was gone have ended"})
	}
	r.plan(len(entries))
	r.src.trace("polled")
	if r.mode == drowsy && r.cursor.xmin > r.mark {
		// Whoever wrote before the locks were held has ended, and this poll
		// saw what came of it.
		r.enter(asleep)
		r.plan(0)
	}
	return len(entries), nil
}

// moveTo moves the cursor and forgets what it has passed.
func (r *reader) moveTo(s snapshot) {
	r.cursor = s
	for id := range r.ahead {
		if s.visible(id.xid) {
			delete(r.ahead, id)
		}
	}
}

// doubt notes that the transactions that are open now may have written unseen:
// the trigger writes nothing, and locks nothing, where the journal is gone.
func (r *reader) doubt() {
	if len(r.cursor.inProgress) > 0 {
		r.unsure = r.cursor.xmax
	}
}

// unseen removes the entries that have been delivered from bells.
func (r *reader) unseen(entries []entry) []entry {
	if len(r.ahead) == 0 {
		return entries
	}
	kept := entries[:0]
	for _, e := range entries {
		if _, seen := r.ahead[e.entryID]; !seen {
			kept = append(kept, e)
		}
	}
	return kept
}

// plan decides when the next poll is, after one that found that many entries.
func (r *reader) plan(found int) {
	now := time.Now()
	switch r.mode {
	case asleep:
		r.pace.nextPoll = time.Time{}
		if safety := r.src.opts.SafetyPoll; safety > 0 {
			r.pace.nextPoll = now.Add(safety)
			if check := r.checked.Add(safety); check.After(now) {
				r.pace.nextPoll = check // so that bells do not put it off
			}
		}
	default:
		r.pace.polled(now, found, r.src.opts.PollInterval)
	}
}

// deliver hands entries to the sink.
func (r *reader) deliver(entries []entry) {
	if len(entries) == 0 {
		return
	}
	begun := make(map[uint64]bool, len(r.ahead))
	for id := range r.ahead {
		begun[id.xid] = true
	}
	order(entries, begun)
	entries = joinParts(entries)
	var changes []capture.Change
	unknown := map[*definition]bool{}
	for i := range entries {
		if e := &entries[i]; e.unknown() {
			unknown[e.def] = true
			r.suspect(e.def)
		} else {
			changes = e.appendChanges(changes)
		}
	}
	if len(changes) > 0 {
		r.sink.Deliver(changes)
	}
	for _, d := range r.defs.all {
		if unknown[d] && !r.putOff(d) {
			r.reset(capture.Reset{Table: d.table,
				Reason: "a statement changed more rows than are captured one by one, or its rows could not be read"})
		}
	}
}

// doze asks writers to ring, and marks the moment from which all of them do.
//
// A writer looks at one of the locks when its transaction has an id. If it
// looked before they were held here, that id is below the one that is taken
// after that: so once no transaction up to that one is running, a poll sees all
// entries that nobody rings for. To wait for all that are in a snapshot would
// not do, for a snapshot does not name those above its xmax.
func (r *reader) doze() error {
	held, err := r.ses.exec(fmt.Sprintf(`
		with lock as materialized (select k, pg_try_advisory_lock_shared(%[1]d, k) as held from generate_series(0, %[2]d) k)
		select case when (select bool_and(held) from lock) then true
			else (select bool_and(not pg_advisory_unlock_shared(%[1]d, k)) from lock where held) end`,
		r.src.names.Class, keyMask))
	if err != nil {
		return fmt.Errorf("take bell locks: %w", err)
	}
	if held != "t" { // a writer was looking at that moment; those that were had are given back
		return nil
	}
	id, err := r.ses.exec("select pg_current_xact_id()::text")
	if err == nil {
		r.mark, err = strconv.ParseUint(id, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("take mark: %w", err)
	}
	r.src.trace("marked")
	r.pace.nextPoll = time.Now()
	r.enter(drowsy)
	return nil
}

func (r *reader) unlock() error {
	_, err := r.ses.exec(fmt.Sprintf("select bool_and(pg_advisory_unlock_shared(%d, k)) from generate_series(0, %d) k", r.src.names.Class, keyMask))
	if err != nil {
		return fmt.Errorf("release bell locks: %w", err)
	}
	return nil
}

// wake lets writers commit without ringing.
func (r *reader) wake() error {
	if err := r.unlock(); err != nil {
		return err
	}
	r.pace.woken(time.Now())
	r.enter(awake)
	return nil
}

// queued reports whether commits that notify wait for each other.
func (r *reader) queued() (bool, error) {
	const notifyLock = "locktype = 'object' and database = 0 and classid = 'pg_database'::regclass and objid = 0"
	waiting, err := r.ses.exec("select count(*) from pg_locks where not granted and " + notifyLock)
	if err != nil {
		return false, fmt.Errorf("look at the queue of notifying commits: %w", err)
	}
	length, err := strconv.Atoi(waiting)
	return length >= queueLength, err
}

// answer deals with the bells that have arrived.
func (r *reader) answer() error {
	payloads := r.ses.bells
	r.ses.bells = nil
	now := time.Now()
	storm := r.pace.rung(now, len(payloads))
	if !storm && r.pace.mayQueue(now) {
		var err error
		if storm, err = r.queued(); err != nil {
			return err
		}
	}
	if storm {
		return r.wake() // and the poll that follows finds what they are about
	}
	if r.mode == drowsy {
		// Transactions that do not ring may have committed before those that do.
		_, err := r.poll()
		return err
	}
	var entries []entry
	for _, payload := range payloads {
		b, err := parseBell(payload, r.defs)
		switch {
		case err != nil:
			r.log.Debug("rowsync: unreadable notification", "payload", payload, "err", err)
			_, err := r.poll()
			return err
		case r.cursor.visible(b.xid), r.defs.byID[b.def] == nil:
			continue
		case b.entry == nil:
			// A poll finds this entry and those of the other bells.
			_, err := r.poll()
			return err
		}
		if _, seen := r.ahead[b.entry.entryID]; !seen {
			entries = append(entries, *b.entry)
		}
	}
	r.deliver(entries)
	for _, e := range entries {
		r.ahead[e.entryID] = struct{}{}
	}
	if len(r.ahead) >= maxAhead {
		_, err := r.poll()
		return err
	}
	return nil
}
