package rowsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/route"
)

// Client captures changes, routes them to subscribers, and loads the changed
// rows, each once. Its methods may be called from any goroutine.
type Client struct {
	opts   *Options
	pool   *pgxpool.Pool
	log    *slog.Logger
	source Source
	schema *schema
	clock  *load.Clock
	epoch  atomic.Uint64
	// reloads holds a token for each Live that loads anew.
	reloads chan struct{}

	changes, resets atomic.Uint64
	pushed          atomic.Uint64 // events pushed to subscribers, counted while a watcher is debugged

	stop    context.CancelFunc
	started chan struct{} // closed when capture runs
	done    chan struct{} // closed when the Source has returned
	err     error         // why it returned; set before done is closed
	ended   atomic.Bool   // it returned by itself; set after err

	// delivering is held while changes or a Reset are routed: the Source and
	// Broadcast take turns.
	delivering sync.Mutex

	mu          sync.Mutex
	subscribers map[*Subscriber]struct{}
	closed      bool
	lives       sync.WaitGroup // Lives that run; none is added once closed is set

	shared sharedLives
}

// start runs the Source until Close and waits until it captures.
func (c *Client) start(ctx context.Context) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		defer close(c.done)
		c.err = c.source.Run(run, c.schema.captured(), sink{c})
		if c.isStarted() && run.Err() == nil {
			c.log.Error("rowsync: capture ended", "err", c.err)
			c.ended.Store(true) // first: whoever follows from now on is told at once
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

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// runLive runs a goroutine of a Live, for which Close waits; false if the Client
// is closed.
func (c *Client) runLive(run func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.lives.Go(run)
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
	s.c.delivering.Lock()
	defer s.c.delivering.Unlock()
	s.c.deliver(changes)
}

// Reset implements [Sink].
func (s sink) Reset(r Reset) { s.c.reset(r.Table, r) }

// deliver routes changes, c.delivering being held.
func (c *Client) deliver(changes []Change) {
	c.changes.Add(uint64(len(changes)))
	// A TRUNCATE names no rows, so it is a Reset of its table, at its place.
	for len(changes) > 0 {
		n := slices.IndexFunc(changes, func(c Change) bool { return c.Op == Truncated })
		if n < 0 {
			n = len(changes)
		}
		c.route(changes[:n], c.clock.Advance(n))
		if n < len(changes) {
			c.spread(changes[n].Table, Reset{Reason: "the table was truncated"})
			n++
		}
		changes = changes[n:]
	}
}

// route brings changes to their followers.
func (c *Client) route(changes []Change, first uint64) {
	if c.schema.debugged {
		c.routeLogged(changes, first)
		return
	}
	c.schema.index.Route(changes, first)
}

// reset voids what was read before and tells everyone whom it concerns.
func (c *Client) reset(table *Table, r Reset) {
	c.delivering.Lock()
	defer c.delivering.Unlock()
	c.spread(table, r)
}

// spread is reset with c.delivering held.
func (c *Client) spread(table *Table, r Reset) {
	r.Table = table
	c.resets.Add(1)
	e := &Event{Reset: &r, Position: Position{Epoch: c.epoch.Add(1), Seq: c.clock.Reset()}, client: c}
	if table != nil {
		c.log.Info("rowsync: table must be loaded again", "table", table.String(), "reason", r.Reason, "err", r.Err)
		told := map[*Subscriber]bool{}
		c.schema.index.Everyone(c.schema.index.Table(table), func(f *route.Follower) {
			if s, _ := f.Owner.(*Subscriber); !told[s] {
				told[s] = true
				s.queue.pushReset(e)
			}
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
