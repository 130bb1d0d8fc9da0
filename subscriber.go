package rowsync

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// Subscriber is one follower of changes: a bounded queue of events and the set
// of what it follows. It ends, with everything it follows, when it is closed or
// its context ends. Its methods may be called from any goroutine.
//
// What [Subscriber.SubscribeTo] follows is told change by change. For what is
// followed as part of a value alone, events of one row that wait in the queue
// become one. If more events wait than Options.Buffer, all of them become one
// Reset. A slow Subscriber delays nobody else.
type Subscriber struct {
	client  *Client
	cfg     subscriberConfig
	release func() bool
	ended   func() // called by Close
	queue   *queue
	own     ownWrites
	reader  *load.Loader // reads rows in the Subscriber's scope
	// values follows the rows of values, with every operation.
	values route.Follower
	// apart holds the tables of which SubscribeTo follows rows without a label.
	apart atomic.Pointer[map[*Table]bool]

	// reached is the position of the newest event that was taken in, or of the
	// last load if that is later: what is read from now on must not be older.
	reached atomic.Uint64

	mu     sync.Mutex
	claims map[route.Item]holders
	// told is what SubscribeTo follows, by the label's watcher; nil for all
	// that have no label.
	told map[*watched]*told
	// loads counts the loads that follow a table.
	loads map[route.Item]int
	roots map[*model.Model]*root
	// hidden is the rows at the roots that the Subscriber may not see.
	hidden map[*model.Model]*graph.Hidden
	closed bool
}

// NewSubscriber returns a Subscriber that follows nothing yet. It is closed
// when ctx ends. On a closed Client it is closed from the start.
func (c *Client) NewSubscriber(ctx context.Context, opts ...SubscriberOption) *Subscriber {
	return c.newSubscriber(ctx, subscriberConfigOf(opts), func() {})
}

// newSubscriber is NewSubscriber; ended is called when the Subscriber is closed.
func (c *Client) newSubscriber(ctx context.Context, cfg subscriberConfig, ended func()) *Subscriber {
	s := &Subscriber{
		client: c, cfg: cfg, ended: ended, queue: newQueue(c.opts.Buffer),
		claims: map[route.Item]holders{}, told: map[*watched]*told{}, loads: map[route.Item]int{}, roots: map[*model.Model]*root{},
		reader: c.loaderFor(cfg), hidden: map[*model.Model]*graph.Hidden{},
	}
	s.values = route.Follower{Owner: s, Push: s.push}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.subscribers[s] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		s.closed = true
		s.queue.close()
		return s
	}
	stop := context.AfterFunc(ctx, s.Close)
	s.mu.Lock()
	s.release = stop
	s.mu.Unlock()
	return s
}

// push queues a change; the Index calls it, locked.
func (s *Subscriber) push(t *route.Table, c *Change, pos uint64) {
	row := rowID{}
	if apart := s.apart.Load(); apart == nil || !(*apart)[c.Table] {
		row = identify(t, c)
	}
	s.queue.push(s.event(c, pos, nil), row)
}

// event returns the event of a change; w is nil for watchers without a label.
func (s *Subscriber) event(c *Change, pos uint64, w *watched) *Event {
	e := &Event{Change: *c, Position: Position{Epoch: s.client.epoch.Load(), Seq: pos}, client: s.client, watcher: w}
	if w != nil {
		e.Label = w.watch.Label
	}
	if s.client.schema.debugged {
		s.client.pushed.Add(1)
	}
	return e
}

// identify names the row of a change; zero if the change gives it another key,
// for then it must stay apart from others of either key.
func identify(t *route.Table, c *Change) rowID {
	was, hadOld := t.KeyOf(0, c.Old)
	now, hasNew := t.KeyOf(0, c.New)
	switch {
	case hadOld && hasNew && was != now:
		return rowID{}
	case hasNew:
		return rowID{c.Table, now}
	}
	return rowID{c.Table, was}
}

// Close ends the Subscriber. Events that were not taken are discarded. It may
// be called more than once.
func (s *Subscriber) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.release != nil {
		s.release()
	}
	for it := range s.claims {
		s.client.schema.index.Unfollow(&s.values, it, AnyOp)
	}
	for _, t := range s.told {
		for it := range t.items {
			s.client.schema.index.Unfollow(&t.Follower, it, AnyOp)
		}
	}
	s.claims, s.told = nil, nil
	s.queue.close()
	defer s.ended()
	s.client.mu.Lock()
	delete(s.client.subscribers, s)
	s.client.mu.Unlock()
}

// Events returns the events as they come, waiting for more until ctx ends, and
// then yields ctx's error once. It ends without an error when the Subscriber is
// closed. An event goes to one caller only, and an event that was yielded is
// gone from the queue.
func (s *Subscriber) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			if ctx.Err() != nil {
				yield(Event{}, context.Cause(ctx))
				return
			}
			events, open := s.queue.take(1)
			if !open {
				return
			}
			if len(events) == 1 {
				ev := *events[0]
				s.settle(&ev)
				if s.tell(ctx, &ev) && !yield(ev, nil) {
					return
				}
				continue
			}
			select {
			case <-s.queue.wake:
			case <-ctx.Done():
				yield(Event{}, context.Cause(ctx))
				return
			}
		}
	}
}

// Handle calls handle with each event, one after the other, until ctx ends,
// whose error it then returns, or handle returns an error, which it passes on,
// or the Subscriber is closed: then it returns nil. handle is given ctx. Events
// that come meanwhile wait in the queue.
func (s *Subscriber) Handle(ctx context.Context, handle func(ctx context.Context, ev Event) error) error {
	for ev, err := range s.Events(ctx) {
		if err == nil {
			err = handle(ctx, ev)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayFollow returns an error for a Subscriber that is closed, or that nothing
// would reach any more.
func (s *Subscriber) mayFollow() error {
	switch {
	case !s.client.ended.Load():
		return s.open()
	case s.client.err == nil:
		return ErrEnded
	}
	return fmt.Errorf("%w: %w", ErrEnded, s.client.err)
}

// open returns ErrClosed for a closed Subscriber.
func (s *Subscriber) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// reach notes that events were taken in.
func (s *Subscriber) reach(events []*Event) {
	for _, e := range events {
		s.reachAt(e.Position.Seq)
	}
}

// reachNow notes that a value is loaded now.
func (s *Subscriber) reachNow() { s.reachAt(s.client.clock.Now()) }

func (s *Subscriber) reachAt(pos uint64) {
	for at := s.reached.Load(); at < pos && !s.reached.CompareAndSwap(at, pos); at = s.reached.Load() {
	}
}
