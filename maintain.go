package rowsync

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// burst is how many events a live takes in at once.
const burst = 1024

// livePlan is how a live loads.
type livePlan struct {
	// load returns the whole value, with the associations of the tree.
	load func(ctx context.Context, tree *model.Tree) (reflect.Value, error)
	// order returns the keys of the root's rows, in order; nil if only load
	// knows which rows there are.
	order func(ctx context.Context) ([]mapper.Key, error)
}

// live maintains the value of one Live, or of several that share it.
type live struct {
	client *Client
	sub    *Subscriber
	root   *root
	plan   livePlan
	log    *slog.Logger

	ctx  context.Context // of the loads after the first; ends with stop
	stop context.CancelFunc
	done chan struct{} // closed when run has returned
	// closing says that it is not the Client's end that ends the live.
	closing atomic.Bool

	// Of the goroutine alone:
	view  view // what is held
	pace  pace
	heard []*Event // what made it fall behind, for the tracer

	mu      sync.Mutex
	current *snapshot
	next    chan struct{} // closed when current is replaced by another version
}

// newLive loads the value and begins to follow it. t is the value's type.
func newLive(ctx context.Context, c *Client, t reflect.Type, cfg liveConfig, plan livePlan) (*live, error) {
	v, err := c.viewOf(reflect.Zero(t))
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	cfg.ofLive = true
	l := &live{
		client: c, sub: c.newSubscriber(run, cfg.subscriberConfig, stop), plan: plan, log: c.log,
		ctx: run, stop: stop, done: make(chan struct{}),
		view: v, pace: pace{retry: retryFirst}, next: make(chan struct{}), current: &snapshot{value: v.value.Interface()},
	}
	begun := false
	defer func() {
		if !begun { // also if a load function has panicked
			stop()
			l.sub.Close()
		}
	}()
	if err := l.begin(ctx, cfg); err != nil {
		return nil, err
	}
	begun = true
	return l, nil
}

// begin loads the value for the first time and starts the goroutine that goes on.
// The first load takes no token of Client.reloads: it may be that of a Live which
// the load function of another one opens.
func (l *live) begin(ctx context.Context, cfg liveConfig) (err error) {
	if l.root, err = l.sub.root(l.view.elem, cfg.subscribeConfig, func(r *root) { r.loaded = true }); err != nil {
		return err
	}
	if err := l.sub.mayFollow(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(ErrClosed) })()
	if err := l.load(ctx); err != nil {
		if l.ctx.Err() != nil {
			return ErrClosed
		}
		return err
	}
	if !l.client.runLive(l.run) {
		return ErrClosed
	}
	return nil
}

// close ends the live and waits until its goroutine has ended.
func (l *live) close() {
	l.closing.Store(true)
	l.stop()
	<-l.done
}

// run takes in events until the live is closed.
func (l *live) run() {
	defer close(l.done)
	defer l.stop()
	defer l.sub.Close()
	for {
		events, open := l.await()
		if !open {
			break
		}
		l.step(events)
	}
	if !l.closing.Load() {
		l.showLast(ErrClosed)
	}
}

// await returns the events to take in next, or none if it is time to load anew.
// It is not open once the live is closed.
func (l *live) await() (events []*Event, open bool) {
	for {
		if l.ctx.Err() != nil {
			return nil, false
		}
		select {
		case <-l.pace.due: // first, for events may never cease to come
			l.pace.due = nil
			return nil, true
		default:
		}
		events, open := l.sub.queue.take(burst)
		if !open {
			return nil, false
		}
		if len(events) > 0 {
			if l.pace.behind {
				continue // the load that is planned will show what these are about
			}
			return events, true
		}
		select {
		case <-l.sub.queue.wake:
		case <-l.ctx.Done():
		case <-l.pace.due:
			l.pace.due = nil
			return nil, true
		}
	}
}

// step takes in events, or loads anew if there are none.
func (l *live) step(events []*Event) {
	if slices.ContainsFunc(events, func(e *Event) bool { return e.Reset != nil }) {
		l.heard = events
		if wait := l.pace.wait(0); wait > 0 {
			l.pace.behind, l.pace.due = true, time.After(wait)
			return
		}
		events = nil
	}
	began := time.Now()
	trace := SyncTrace{Events: events}
	if len(events) > 0 {
		trace.Err = l.patch(events)
	} else {
		trace.Events, l.heard = l.heard, nil
		trace.Err = l.reload()
	}
	trace.Took = time.Since(began)
	l.client.traceSync(l.ctx, trace)
	if trace.Err != nil && l.ctx.Err() == nil {
		wait := l.pace.failed()
		l.log.Warn("rowsync: live value is behind, will load it again", "err", trace.Err, "in", wait)
		l.fail(trace.Err)
	}
}

// patch brings the value up to date with events, none of them a Reset.
func (l *live) patch(events []*Event) (err error) {
	h := l.sub.host(l.root)
	unfollow := h.Unfollow
	h.Unfollow = func(it route.Item) {
		if it != l.rootTable() {
			unfollow(it)
		}
	}
	if slices.ContainsFunc(events, func(e *Event) bool { return e.Table == l.root.plan.Table.Capture }) {
		if l.plan.order == nil {
			l.pace.plan(l.pace.wait(reloadDelay))
		} else if h.Order, err = l.plan.order(l.ctx); err != nil {
			return err
		} else if h.Order == nil {
			h.Order = []mapper.Key{}
		}
	}
	held, changes := l.view.rows(), l.client.changesOf(events)
	if h.Order != nil {
		if changes, err = l.within(h, held, changes); err != nil {
			return err
		}
	}
	rows, err := l.root.plan.Reconcile(l.ctx, h, held, changes)
	if err != nil {
		return err
	}
	l.sub.reach(events)
	s := *l.snapshot()
	changed := !graph.Same(rows, held)
	if changed {
		l.view.value = l.view.with(rows)
		s.value = l.view.value.Interface()
	}
	// While a load is planned, rows may be lacking that the changes brought.
	if at := l.sub.queue.reached(events); l.pace.due == nil && at.Seq > s.position.Seq {
		s.position = at
	}
	l.show(s, changed)
	return nil
}

// rootTable is followed as a whole: which rows the root has can change with any
// row of its table.
func (l *live) rootTable() route.Item {
	return route.Item{Table: l.root.plan.Table, Lookup: route.WholeTable}
}

// reload loads the value anew, when its turn comes.
func (l *live) reload() error {
	select {
	case l.client.reloads <- struct{}{}:
		defer func() { <-l.client.reloads }()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
	return l.load(l.ctx)
}

// load loads the value. Events that come meanwhile wait in the queue and are
// taken in next. A value that is equal to the one that is held does not take its
// place, so that nobody is woken for it.
func (l *live) load(ctx context.Context) error {
	began := time.Now()
	at := l.client.position()
	v := l.view
	var err error
	v.value, err = l.sub.whileFollowing(ctx, l.root, func() (reflect.Value, error) {
		return l.plan.load(ctx, l.root.plan.Tree)
	}, l.rootTable())
	if err != nil {
		return err
	}
	l.pace.loaded(began)
	was := l.snapshot()
	s := snapshot{value: v.value.Interface(), position: at}
	if err := l.sub.mayFollow(); errors.Is(err, ErrEnded) {
		s.err = err
	}
	same := was.version > 0 && reflect.DeepEqual(was.value, s.value)
	if same {
		s.value = was.value
	} else {
		l.view = v
	}
	l.show(s, !same || !sameText(was.err, s.err))
	return nil
}
