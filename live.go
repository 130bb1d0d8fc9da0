package rowsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Live is a value that keeps itself in step with the database: it subscribes,
// loads, takes in every event, and loads anew after a Reset. Nothing that is
// committed between its load and its subscription is missed. Make one with
// [Query] or [Follow]. Its methods may be called from any goroutine.
type Live[T any] struct{ core *live }

// Value returns the value as it now is. It is immutable.
func (l *Live[T]) Value() T {
	v, _ := l.core.snapshot().value.(T)
	return v
}

// Err returns why the value is behind the database, or nil. The value before
// the error is kept, and the Live tries again by itself.
func (l *Live[T]) Err() error { return l.core.snapshot().err }

// Position returns how far the value has come: it shows every change up to
// there that concerns it.
func (l *Live[T]) Position() Position { return l.core.snapshot().position }

// Changes returns the value as it is now and then each newer one, the newest
// first: a caller that is slower than the changes does not see those between.
// When the Live cannot follow, the value that it keeps comes with the error. It
// ends when ctx ends, with ctx's error, or when the Live is closed, without one.
func (l *Live[T]) Changes(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var seen uint64
		for {
			s, next := l.core.watch()
			if ctx.Err() != nil {
				v, _ := s.value.(T)
				yield(v, context.Cause(ctx))
				return
			}
			if s.version != seen {
				seen = s.version
				v, _ := s.value.(T)
				if !yield(v, s.err) {
					return
				}
				continue
			}
			select {
			case <-next:
			case <-l.core.done:
				return
			case <-ctx.Done():
				v, _ := s.value.(T)
				yield(v, context.Cause(ctx))
				return
			}
		}
	}
}

// Close ends the Live and waits until its goroutine has ended. Value goes on to
// return the last value.
func (l *Live[T]) Close() { l.core.close() }

// plan is how a live loads.
type livePlan struct {
	// load returns the whole value.
	load func(ctx context.Context) (reflect.Value, error)
	// order returns the keys of the root's rows, in order; nil if only load
	// knows which rows there are.
	order func(ctx context.Context) ([]mapper.Key, error)
}

// live is a Live of any type.
type live struct {
	client *Client
	sub    *Subscriber
	// closing says that it was Close that ended the Live.
	closing atomic.Bool
	root    *root
	plan    livePlan
	log     *slog.Logger

	ctx  context.Context
	stop context.CancelFunc
	done chan struct{}

	view view // what is held; of the goroutine alone

	mu      sync.Mutex
	current *snapshot
	next    chan struct{} // closed when current is replaced
}

// snapshot is what a Live shows at one moment.
type snapshot struct {
	value    any
	err      error
	position Position
	version  uint64 // counts changes of value and err, from 1
}

const (
	// burst is how many events a live takes in at once.
	burst = 1024
	// reloadDelay is how long a live whose load function decides which rows
	// there are waits for further changes of its root's table.
	reloadDelay = 50 * time.Millisecond
	// retryFirst and retryMost bound the time between attempts after an error.
	retryFirst, retryMost = 100 * time.Millisecond, 5 * time.Second
)

// newLive loads the value and begins to follow it. t is the value's type.
func newLive(ctx context.Context, c *Client, t reflect.Type, cfg liveConfig, plan livePlan) (*live, error) {
	v, err := c.viewOf(reflect.Zero(t))
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &live{
		client: c, sub: c.newSubscriber(run, cfg.subscriberConfig, stop), plan: plan, log: c.log,
		ctx: run, stop: stop, done: make(chan struct{}),
		view: v, next: make(chan struct{}), current: &snapshot{value: v.value.Interface()},
	}
	if l.root, err = l.sub.root(v.elem, cfg.subscribeConfig, func(r *root) { r.loaded = true }); err == nil {
		if err = l.sub.mayFollow(); err == nil {
			err = l.reload(ctx)
		}
	}
	if err != nil {
		stop()
		l.sub.Close()
		return nil, err
	}
	if !c.runLive(l) {
		stop()
		l.sub.Close()
		return nil, ErrClosed
	}
	return l, nil
}

func (l *live) snapshot() *snapshot {
	s, _ := l.watch()
	return s
}

// watch returns what is shown, and a channel that is closed when that changes.
func (l *live) watch() (*snapshot, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, l.next
}

// show replaces what is shown; if only the position is new, nobody is woken.
func (l *live) show(s snapshot, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.version = l.current.version
	if changed {
		s.version++
		close(l.next)
		l.next = make(chan struct{})
	}
	l.current = &s
}

func (l *live) close() {
	l.closing.Store(true)
	l.stop()
	<-l.done
}

// run takes in events until the live is closed.
func (l *live) run() {
	defer close(l.done)
	defer l.sub.Close()
	var (
		due   <-chan time.Time // when to load anew
		retry = retryFirst
	)
	for {
		var events []*Event
		select {
		case <-due: // first, for events may never cease to come
			due = nil
		default:
			var open bool
			if events, open = l.sub.queue.take(burst); !open {
				if !l.closing.Load() {
					l.fail(ErrClosed)
				}
				return
			}
			if len(events) == 0 {
				select {
				case <-l.sub.queue.wake:
					continue
				case <-l.ctx.Done():
					l.sub.Close()
					continue // to find the queue closed
				case <-due:
					due = nil
				}
			} else if due != nil && l.snapshot().err != nil {
				// The load that is due will show what these are about; to try
				// at each of them would defeat the back-off.
				continue
			}
		}
		again, err := l.step(events)
		switch {
		case l.ctx.Err() != nil:
			l.sub.Close()
			continue // to find the queue closed
		case err != nil:
			l.log.Warn("rowsync: live value is behind, will load it again", "err", err, "in", retry)
			l.fail(err)
			due = time.After(retry)
			retry = min(2*retry, retryMost)
		case again:
			retry = retryFirst
			if due == nil {
				due = time.After(reloadDelay)
			}
		default:
			retry = retryFirst
		}
	}
}

// fail keeps the value and shows why it is behind.
func (l *live) fail(err error) {
	s := *l.snapshot()
	s.err = err
	l.show(s, true)
}

// step takes in events, or loads anew if there are none. It asks to load again
// soon if it could not tell which rows now belong to the root.
func (l *live) step(events []*Event) (again bool, err error) {
	began := time.Now()
	if len(events) == 0 || slices.ContainsFunc(events, func(e *Event) bool { return e.Reset != nil }) || l.snapshot().err != nil {
		err = l.reload(l.ctx)
	} else {
		again, err = l.patch(events)
	}
	l.client.traceSync(l.ctx, SyncTrace{Events: events, Took: time.Since(began), Err: err})
	return again, err
}

// patch brings the value up to date with events, none of them a Reset.
func (l *live) patch(events []*Event) (again bool, err error) {
	h := l.sub.host(l.root)
	unfollow := h.Unfollow
	h.Unfollow = func(it route.Item) {
		if it != l.rootTable() {
			unfollow(it)
		}
	}
	if slices.ContainsFunc(events, func(e *Event) bool { return e.Table == l.root.plan.Table.Capture }) {
		if again = l.plan.order == nil; !again {
			if h.Order, err = l.plan.order(l.ctx); err != nil {
				return false, err
			}
			if h.Order == nil {
				h.Order = []mapper.Key{}
			}
		}
	}
	held := l.view.rows()
	rows, err := l.root.plan.Reconcile(l.ctx, h, held, l.client.changesOf(events))
	if err != nil {
		return again, err
	}
	l.sub.reach(events)
	at := events[len(events)-1].Position
	changed := !graph.Same(rows, held)
	if changed {
		l.view.value = l.view.with(rows)
	}
	l.show(snapshot{value: l.view.value.Interface(), position: at}, changed)
	return again, nil
}

// rootTable is followed as a whole: which rows the root has can change with any
// row of its table.
func (l *live) rootTable() route.Item {
	return route.Item{Table: l.root.plan.Table, Lookup: route.WholeTable}
}

// reload loads the value anew. Events that come meanwhile wait in the queue and
// are taken in next.
func (l *live) reload(ctx context.Context) error {
	select {
	case l.client.reloads <- struct{}{}:
		defer func() { <-l.client.reloads }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	at := Position{Epoch: l.client.epoch.Load(), Seq: l.client.clock.Now()}
	v := l.view
	err := l.sub.whileFollowing(l.root, func() (value reflect.Value, err error) {
		v.value, err = l.plan.load(ctx)
		return v.value, err
	}, l.rootTable())
	if err != nil {
		return err
	}
	l.view = v
	l.show(snapshot{value: v.value.Interface(), position: at}, true)
	return nil
}

// Follow returns a Live over a load function of the caller's own, which may use
// any means to read a struct of a watched model, a pointer to one, or a slice of
// either, with the associations that [With] names loaded in it. It is called
// now, after each Reset, and soon after rows of the model's table have changed,
// for only it knows which of them it would return; changes of all else are
// patched into the value without it.
//
// An error of the first load is returned; of later ones see [Live.Err]. ctx
// bounds only the first load; the Live runs until it or its Client is closed.
func Follow[T any](ctx context.Context, c *Client, loadValue func(ctx context.Context) (T, error), opts ...LiveOption) (*Live[T], error) {
	if loadValue == nil {
		return nil, errors.New("follow: no load function")
	}
	l, err := newLive(ctx, c, reflect.TypeFor[T](), liveConfigOf(opts), livePlan{
		load: func(ctx context.Context) (reflect.Value, error) {
			v, err := loadValue(ctx)
			return reflect.ValueOf(&v).Elem(), err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	return &Live[T]{l}, nil
}
