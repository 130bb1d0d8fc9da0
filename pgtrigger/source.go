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
// any more, the journal grows with every write: drop the schema then, which
// takes the triggers with it (DROP SCHEMA rowsync CASCADE).
//
// A session that sets session_replication_role to replica fires no triggers:
// its changes are not captured.
package pgtrigger

import (
	"context"
	"math/rand/v2"
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
	s := &Source{pool: pool, trace: func(event) {}, patience: answerTimeout}
	s.opts, s.err = opts.complete()
	s.names = newNames(s.opts.Namespace)
	return s
}

// Run installs what capture needs in the database, unless it is there already,
// and captures the changes of tables into sink until ctx ends; see
// [capture.Source]. While the connection is lost Run goes on trying to connect;
// then it resumes where it was, or tells sink of a Reset if the journal no
// longer reaches back so far.
func (s *Source) Run(ctx context.Context, tables []*capture.Table, sink capture.Sink) error {
	if s.err != nil {
		return s.err
	}
	r := newReader(s, tables, sink)
	retry := backoff{}
	cleaning := make(chan struct{})
	cleanCtx, stopCleaning := context.WithCancel(ctx)
	defer func() {
		stopCleaning()
		<-cleaning
	}()
	go func() {
		defer close(cleaning)
		select {
		case <-r.started:
			s.cleanUntil(cleanCtx)
		case <-cleanCtx.Done():
		}
	}()
	for {
		sessions := r.sessions
		err := r.session(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !r.isStarted():
			return err
		}
		if r.sessions > sessions {
			retry = backoff{} // it got as far as capturing, so the server is well
		}
		pause := retry.next()
		s.opts.Logger.Warn("rowsync: capture interrupted; it resumes after reconnecting", "err", err, "pause", pause)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
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
