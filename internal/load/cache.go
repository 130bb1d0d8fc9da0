package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/rowsync/rowsync/internal/mapper"
)

// Clock counts the changes that have arrived, and what else must tell reads
// before it from reads after it: Resets, and writes of a Subscriber's own. The
// count gives everything that is read a position: a read that begins at position
// p sees every change up to p.
type Clock struct {
	arrived atomic.Uint64
	// floor is the position of the last Reset: what was read before it is void.
	floor atomic.Uint64
}

// Now returns the last position that was given.
func (c *Clock) Now() uint64 { return c.arrived.Load() }

// Advance gives n further positions and returns the first.
func (c *Clock) Advance(n int) uint64 { return c.arrived.Add(uint64(n)) - uint64(n) + 1 }

// Reset voids everything that was read so far, and returns its own position.
func (c *Clock) Reset() uint64 {
	at := c.arrived.Add(1)
	c.floor.Store(at)
	return at
}

// Floor returns the position of the last Reset.
func (c *Clock) Floor() uint64 { return c.floor.Load() }

// subject names a group of things that one statement can read together.
type subject struct {
	scope string // what is read in one is never used in another
	kind  string // rows, bundles, lists, pairs or linkers
	of    any    // the *model.Model or *model.Association they are of
	tree  string // the associations they are read with
}

// what names one thing that is read.
type what struct {
	subject
	key mapper.Key
}

// Want asks for the thing of a key as it was at position Need or later.
type Want struct {
	Key  mapper.Key
	Need uint64
}

// Wants asks for all of keys as of one position.
func Wants(keys []mapper.Key, need uint64) []Want {
	ws := make([]Want, len(keys))
	for i, k := range keys {
		ws[i] = Want{k, need}
	}
	return ws
}

// found is something read, with the position before its read began.
type found struct {
	value any // nil: there is none
	pos   uint64
}

// fetch reads the items of a group, all in one go. Items that do not exist are
// absent from the result.
type fetch func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error)

// cache reads each thing once, however many ask for it: what was read at or
// after the position that is asked for is used again, and what is asked for
// while a statement of its group runs waits for one next statement together.
type cache struct {
	clock   *Clock
	entries *otter.Cache[what, found]
	size    int
	timeout time.Duration
	ctx     context.Context // of the statements; ends with stop
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	groups map[subject]*group
	closed bool // nothing runs any more
}

// group is the statements of one kind: at most one runs and one waits.
type group struct{ running, waiting *batch }

type batch struct {
	keys  map[mapper.Key]struct{}
	fetch fetch
	pos   uint64 // set when it runs
	done  chan struct{}
	found map[mapper.Key]any
	err   error
}

// ErrClosed comes back from a Loader that is closed.
var ErrClosed = errors.New("rowsync: closed")

func newCache(clock *Clock, size int, ttl, timeout time.Duration) (*cache, error) {
	entries, err := otter.New(&otter.Options[what, found]{
		MaximumSize:      size,
		ExpiryCalculator: otter.ExpiryWriting[what, found](ttl),
	})
	if err != nil {
		return nil, fmt.Errorf("make cache: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &cache{
		clock: clock, entries: entries, size: size, timeout: timeout,
		ctx: ctx, stop: stop, groups: map[subject]*group{},
	}, nil
}

// close cancels the statements that run and waits for them.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
	c.entries.InvalidateAll()
	c.entries.StopAllGoroutines()
}

// ahead says what will be wanted next, so that a statement that must run anyway
// reads it too. It may be nil.
type ahead func() []Want

// get returns what is wanted. Errors are not kept. A caller whose ctx ends
// leaves the statement to those who still wait.
func (c *cache) get(ctx context.Context, s subject, wants []Want, f fetch) (map[mapper.Key]found, error) {
	return c.getAhead(ctx, s, wants, nil, f)
}

// getAhead is get, and puts into the cache what will be wanted next, as far as a
// statement has to run.
func (c *cache) getAhead(ctx context.Context, s subject, wants []Want, next ahead, f fetch) (map[mapper.Key]found, error) {
	floor := c.clock.Floor()
	out := make(map[mapper.Key]found, len(wants))
	var missing []Want
	for _, w := range wants {
		w.Need = max(w.Need, floor)
		if e, ok := c.entries.GetIfPresent(what{s, w.Key}); ok && e.pos >= w.Need {
			out[w.Key] = e
		} else {
			missing = append(missing, w)
		}
	}
	var more []Want
	if len(missing) > 0 && next != nil {
		more = next()
	}
	joined, err := c.join(s, missing, more, f, out)
	if err != nil {
		return nil, err
	}
	for b, ks := range joined {
		select {
		case <-b.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if b.err != nil {
			return nil, b.err
		}
		for _, k := range ks {
			out[k] = found{b.found[k], b.pos}
		}
	}
	return out, nil
}

// join puts the keys on the running batch of the group where that will do, and
// on the waiting one otherwise, together with more. What has come into the cache
// meanwhile it adds to out.
func (c *cache) join(s subject, wants, more []Want, f fetch, out map[mapper.Key]found) (map[*batch][]mapper.Key, error) {
	if len(wants) == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	g := c.groups[s]
	if g == nil {
		g = &group{}
		c.groups[s] = g
	}
	joined := map[*batch][]mapper.Key{}
	for _, w := range wants {
		k := w.Key
		// A batch may have ended since get looked: then it has filled the cache.
		if e, ok := c.entries.GetIfPresent(what{s, k}); ok && e.pos >= w.Need {
			out[k] = e
			continue
		}
		if b := g.running; b != nil && b.pos >= w.Need {
			if _, ok := b.keys[k]; ok {
				joined[b] = append(joined[b], k)
				continue
			}
		}
		if g.waiting == nil {
			g.waiting = &batch{keys: map[mapper.Key]struct{}{}, fetch: f, done: make(chan struct{})}
		}
		g.waiting.keys[k] = struct{}{}
		joined[g.waiting] = append(joined[g.waiting], k)
	}
	if b := g.waiting; b != nil && len(joined[b]) > 0 {
		for _, w := range more[:min(len(more), c.size/4)] {
			if e, ok := c.entries.GetIfPresent(what{s, w.Key}); !ok || e.pos < w.Need {
				b.keys[w.Key] = struct{}{}
			}
		}
	}
	switch {
	case g.running != nil:
	case g.waiting != nil:
		c.start(s, g)
	default:
		delete(c.groups, s)
	}
	return joined, nil
}

// start runs the waiting batch; c.mu is held.
func (c *cache) start(s subject, g *group) {
	b := g.waiting
	g.running, g.waiting = b, nil
	b.pos = c.clock.Now()
	c.running.Go(func() {
		c.run(s, b)
		c.mu.Lock()
		defer c.mu.Unlock()
		switch g.running = nil; {
		case g.waiting == nil:
			delete(c.groups, s)
		case c.closed:
			g.waiting.err = ErrClosed
			close(g.waiting.done)
			delete(c.groups, s)
		default:
			c.start(s, g)
		}
	})
}

func (c *cache) run(s subject, b *batch) {
	defer close(b.done)
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	keys := make([]mapper.Key, 0, len(b.keys))
	for k := range b.keys {
		keys = append(keys, k)
	}
	if b.found, b.err = b.fetch(ctx, keys); b.err != nil {
		return
	}
	for _, k := range keys {
		// A Reset during the read leaves b.pos below the floor, where get passes it over.
		c.entries.Set(what{s, k}, found{b.found[k], b.pos})
	}
}
