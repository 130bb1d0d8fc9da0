package rowsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/pgtrigger"
)

// Client captures changes, routes them to subscribers, and loads the changed
// rows, each once. Its methods may be called from any goroutine.
type Client struct {
	opts   *Options
	log    *slog.Logger
	schema *schema
	clock  *load.Clock
	epoch  atomic.Uint64
	// reloads holds a token for each Live that loads anew.
	reloads chan struct{}

	changes, resets atomic.Uint64

	stop    context.CancelFunc
	started chan struct{} // closed when capture runs
	done    chan struct{} // closed when the Source has returned
	err     error         // why it returned; set before done is closed

	mu          sync.Mutex
	subscribers map[*Subscriber]struct{}
	closed      bool
	lives       sync.WaitGroup // Lives that run; none is added once closed is set
}

// Open begins to capture what opts.Watchers name and returns when capture runs:
// every change that is committed after Open has returned is heard. opts may be
// nil, which watches nothing.
//
// All mistakes in opts, in the models and in what the database has of them come
// back together, before anything is installed in the database. What the Source
// installs there is described in package pgtrigger.
//
// ctx bounds only the start. The Client runs until [Client.Close]; close it
// before the pool.
func Open(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Client, error) {
	if pool == nil {
		return nil, errors.New("open rowsync: no pool: pass a *pgxpool.Pool of the database")
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	plan, err := draw(o.Watchers, o.Models)
	if err != nil {
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	c := &Client{
		opts: o, log: o.Logger, clock: &load.Clock{},
		reloads: make(chan struct{}, o.Reloads),
		started: make(chan struct{}), done: make(chan struct{}),
		subscribers: map[*Subscriber]struct{}{},
	}
	c.schema, err = plan.bind(ctx, pool, c.clock, load.Options{
		CacheSize: o.CacheSize, CacheTTL: o.CacheTTL, Timeout: o.LoadTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	source := o.Source
	if source == nil {
		source = pgtrigger.New(pool, &pgtrigger.Options{Logger: o.Logger})
	}
	if err := c.start(ctx, source); err != nil {
		c.Close()
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	return c, nil
}

// start runs the Source until Close and waits until it captures.
func (c *Client) start(ctx context.Context, source Source) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		defer close(c.done)
		c.err = source.Run(run, c.schema.captured(), sink{c})
		if c.isStarted() && run.Err() == nil {
			c.log.Error("rowsync: capture ended", "err", c.err)
			c.reset(nil, Reset{Reason: "capture ended", Err: c.err})
		}
	}()
	select {
	case <-c.started:
		return nil
	case <-c.done:
		if c.err == nil {
			return errors.New("the source ended before it captured anything")
		}
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("wait for capture to begin: %w", context.Cause(ctx))
	}
}

func (c *Client) isStarted() bool {
	select {
	case <-c.started:
		return true
	default:
		return false
	}
}

// Close ends capture and closes all subscribers and Live values; their events
// that were not taken yet are discarded. It waits until everything has ended,
// and may be called more than once.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	subs := make([]*Subscriber, 0, len(c.subscribers))
	for s := range c.subscribers {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	for _, s := range subs {
		s.Close()
	}
	c.lives.Wait()
	if c.stop != nil {
		c.stop()
		<-c.done
	}
	c.schema.loader.Close()
}

// runLive runs a Live until it ends; false if the Client is closed.
func (c *Client) runLive(l *live) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.lives.Go(l.run)
	return true
}

// Done is closed when capture has ended: after Close, or when the Source met
// with something it could not mend, which [Client.Err] then tells.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why capture ended; nil while it runs and after Close.
func (c *Client) Err() error {
	select {
	case <-c.done:
		if errors.Is(c.err, context.Canceled) {
			return nil
		}
		return c.err
	default:
		return nil
	}
}

// Stats is what a Client has done since it was opened.
type Stats struct {
	Changes    uint64 // changes that arrived
	Resets     uint64 // Resets that arrived
	Statements uint64 // statements that loaded rows
	Rows       uint64 // rows they read
}

// Stats returns what the Client has done so far.
func (c *Client) Stats() Stats {
	s := Stats{Changes: c.changes.Load(), Resets: c.resets.Load()}
	s.Statements, s.Rows = c.schema.loader.Counts()
	return s
}

// sink is the Client as its Source sees it.
type sink struct{ c *Client }

// Started implements [Sink].
func (s sink) Started() { close(s.c.started) }

// Deliver implements [Sink].
func (s sink) Deliver(changes []Change) {
	c := s.c
	c.changes.Add(uint64(len(changes)))
	first := c.clock.Advance(len(changes))
	// A TRUNCATE names no rows, so it is a Reset of its table, at its place.
	for from, i := 0, 0; i <= len(changes); i++ {
		if i < len(changes) && changes[i].Op != Truncated {
			continue
		}
		c.schema.index.Route(changes[from:i], first+uint64(from))
		if i < len(changes) {
			c.reset(changes[i].Table, Reset{Reason: "the table was truncated"})
		}
		from = i + 1
	}
}

// Reset implements [Sink].
func (s sink) Reset(r Reset) { s.c.reset(r.Table, r) }

// reset voids what was read before and tells everyone whom it concerns.
func (c *Client) reset(table *Table, r Reset) {
	r.Table = table
	c.resets.Add(1)
	e := &Event{Reset: &r, Position: Position{Epoch: c.epoch.Add(1), Seq: c.clock.Reset()}}
	if table != nil {
		c.log.Info("rowsync: table must be loaded again", "table", table.String(), "reason", r.Reason, "err", r.Err)
		c.schema.index.Everyone(c.schema.index.Table(table), func(f *route.Follower) {
			f.Owner.(*Subscriber).queue.pushReset(e)
		})
		return
	}
	c.log.Warn("rowsync: changes may have been missed", "reason", r.Reason, "err", r.Err)
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subscribers {
		s.queue.pushReset(e)
	}
}
