// Package pgtrigger captures the changes of PostgreSQL tables with triggers.
//
// Statement-level triggers write one row per statement into a journal, an
// unlogged table in a schema of rowsync's own. A reader polls the journal while
// much happens, and sleeps on LISTEN while little does: only a reader that
// sleeps is rung, so that busy writers never notify. What a reader has seen is a
// snapshot of the database, not a number, so that no change is missed or told
// twice however transactions interleave, and so that a reader whose connection
// broke goes on where it was.
//
// Readers remove old entries. Where triggers are installed and no program reads
// any more, the journal grows up to Options.MaxJournal: remove it all then, with
// [Source.Drop]. What other versions of a program have left behind is found at the start;
// see [Options] (Cleanup), [Source.Installed] and [Source.Remove].
//
// Statement triggers do not see all that happens to partitioned tables, to
// partitions and to tables that inherit or are inherited from. Those are captured
// with row triggers, one entry for each row; the rows of a table are also those
// of its partitions and of the tables that inherit from it. When one of these
// comes or goes, the table is reset, within [Options.SafetyPoll]. What happens to
// a foreign table among them is captured if it is written in this database.
//
// A session that sets session_replication_role to replica fires no triggers:
// its changes are not captured, unless [Options.Always] is set.
package pgtrigger

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/capture"
)

// Source captures changes through triggers; it is a [capture.Source]. Its
// methods may be called from any goroutine, and Run more than once at a time:
// each run is a reader of its own.
type Source struct {
	pool  *pgxpool.Pool
	opts  Options
	names names
	err   error // of the options; Run returns it

	mu      sync.Mutex
	running map[*capture.Table][]*definition // how each table is captured, by each Run

	// Tests change these.
	trace    func(event)
	patience time.Duration
}

var _ capture.Source = (*Source)(nil)

// New returns a Source on the database of pool. opts may be nil. The database
// is not touched before [Source.Run]; invalid options are reported there too.
//
// Run opens one connection of its own beside the pool, with the pool's
// configuration. It must be a direct connection or one through a pooler in
// session mode. The pool serves the cleaning of the journal.
func New(pool *pgxpool.Pool, opts *Options) *Source {
	s := &Source{pool: pool, trace: func(event) {}, patience: answerTimeout, running: map[*capture.Table][]*definition{}}
	s.opts, s.err = opts.complete()
	s.names = newNames(s.opts.Namespace)
	return s
}

// Run installs what capture needs in the database, unless it is there already,
// and captures the changes of tables into sink until ctx ends; see
// [capture.Source]. While the connection is lost Run goes on trying to connect;
// then it resumes where it was, or tells sink of a Reset if the journal no
// longer reaches back so far.
//
// Schema changes do not end Run either. Every SafetyPoll it looks whether its
// tables, triggers and journal are as they should be. It puts back what is
// missing, and sink gets a Reset; of what it can't mend, for a column is gone
// say, sink is told by a Reset with an Err, once, and by another when its
// changes are captured again. Other tables are captured all the while.
//
// Without tables Run installs nothing, connects only through the pool, and looks
// for leftovers.
func (s *Source) Run(ctx context.Context, tables []*capture.Table, sink capture.Sink) error {
	if s.err != nil {
		return s.err
	}
	if len(tables) == 0 {
		return s.runIdle(ctx, sink)
	}
	r := newReader(s, tables, sink)
	cleaning := make(chan struct{})
	cleanCtx, stopCleaning := context.WithCancel(ctx)
	defer func() {
		stopCleaning()
		<-cleaning
		if r.isStarted() {
			s.ended(r.defs.all)
		}
	}()
	go func() {
		defer close(cleaning)
		select {
		case <-r.started:
			s.tidy(cleanCtx, r.wanted)
			s.cleanUntil(cleanCtx)
		case <-cleanCtx.Done():
		}
	}()
	return r.run(ctx)
}

// runIdle is Run without tables: it only looks for leftovers.
func (s *Source) runIdle(ctx context.Context, sink capture.Sink) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	sink.Started()
	s.tidy(ctx, nil)
	<-ctx.Done()
	return ctx.Err()
}

// run reads in one session after the other until ctx ends, or until the first
// fails before capture has begun.
func (r *reader) run(ctx context.Context) error {
	retry := backoff{}
	for {
		sessions, began := r.sessions, time.Now()
		err := r.session(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !r.isStarted():
			return err
		}
		if r.sessions > sessions && time.Since(began) > retry.last {
			retry = backoff{} // it went well for a while
		}
		pause := retry.next()
		r.interrupted(err, pause)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// interrupted notes that a session has ended, or could not begin.
func (r *reader) interrupted(err error, pause time.Duration) {
	r.attempts++
	if r.away.IsZero() {
		r.away = time.Now()
		r.awayTold = r.often.tell(slog.LevelWarn, "interrupted",
			"rowsync: capture interrupted; it resumes after reconnecting", "err", err, "pause", pause)
		return
	}
	if r.often.tell(slog.LevelWarn, "interrupted", "rowsync: capture is still interrupted",
		"err", err, "away", time.Since(r.away).Round(time.Millisecond), "attempts", r.attempts) {
		r.awayTold = true
	}
}

// backoff spaces attempts to connect, so that many nodes do not come at once.
type backoff struct{ last time.Duration }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, 20*time.Millisecond), 5*time.Second)
	return b.last/2 + rand.N(b.last)
}

// sleep waits for d and reports whether ctx has not ended by then.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
