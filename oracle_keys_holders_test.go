package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync"
)

// keyHolding is one value of the world of keys that is held.
type keyHolding struct {
	name    string
	now     func() string
	fresh   func(ctx context.Context) (string, error)
	err     func() error
	changed <-chan struct{}
	close   func()
}

// await waits until what is held equals a fresh load. The database rests.
func (h *keyHolding) await(ctx context.Context, t *testing.T, log func() string) {
	t.Helper()
	want, err := h.fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	timeout := time.After(20 * time.Second)
	for {
		got := h.now()
		if got == want {
			return
		}
		select {
		case <-h.changed:
		case <-timeout:
			t.Fatalf("%s differs from a fresh load (error: %v)\n%s%s", h.name, h.err(), difference(got, want), log())
		}
	}
}

// wake fills a channel of one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// holdKeysLive holds a Live of a model.
func holdKeysLive[T any](ctx context.Context, c *rowsync.Client, q rowsync.Select) (*keyHolding, error) {
	l, err := rowsync.Query[T](ctx, c, q)
	if err != nil {
		return nil, err
	}
	changed := make(chan struct{}, 1)
	var done sync.WaitGroup
	done.Go(func() {
		for range l.Changes(ctx) {
			wake(changed)
		}
	})
	return &keyHolding{
		name: fmt.Sprintf("Live of %s %+v", reflect.TypeFor[T](), q), changed: changed, err: l.Err,
		now: func() string { return showSets(l.Value()) },
		fresh: func(ctx context.Context) (string, error) {
			v, err := rowsync.LoadAll[T](ctx, c, q)
			return showSets(v), err
		},
		close: func() { l.Close(); done.Wait() },
	}, nil
}

// keyList is a list of all rows of a model, kept by Load and Sync.
type keyList[T any] struct {
	client *rowsync.Client
	sub    *rowsync.Subscriber
	with   []string
	rng    *rand.Rand

	mu      sync.Mutex
	value   []*T
	lastErr error
}

// holdKeysByHand holds a list of all rows of a model by Load and Sync.
func holdKeysByHand[T any](ctx context.Context, c *rowsync.Client, with []string, seed uint64) (*keyHolding, error) {
	ctx, stop := context.WithCancel(ctx)
	l := &keyList[T]{client: c, sub: c.NewSubscriber(ctx), with: with, rng: rand.New(rand.NewPCG(seed, 1))}
	err := l.sub.SubscribeTo(rowsync.On[T](rowsync.AnyOp))
	if err == nil {
		l.value, err = l.reload(ctx)
	}
	if err != nil {
		stop()
		return nil, err
	}
	changed := make(chan struct{}, 1)
	var done sync.WaitGroup
	done.Go(func() { l.run(ctx, changed) })
	return &keyHolding{
		name: fmt.Sprintf("list of %s synced by hand, with %v", reflect.TypeFor[T](), with), changed: changed,
		err: func() error { l.mu.Lock(); defer l.mu.Unlock(); return l.lastErr },
		now: func() string { l.mu.Lock(); defer l.mu.Unlock(); return showSets(l.value) },
		fresh: func(ctx context.Context) (string, error) {
			v, err := l.load(ctx)
			return showSets(v), err
		},
		close: func() { stop(); done.Wait() },
	}, nil
}

func (l *keyList[T]) load(ctx context.Context) ([]*T, error) {
	return rowsync.LoadAll[T](ctx, l.client, rowsync.Select{With: l.with})
}

func (l *keyList[T]) reload(ctx context.Context) ([]*T, error) {
	return rowsync.Load(ctx, l.sub, l.load, rowsync.With(l.with...))
}

// run takes in events; now and then one that it had before comes again.
func (l *keyList[T]) run(ctx context.Context, changed chan<- struct{}) {
	var old []rowsync.Event
	for ev, err := range l.sub.Events(ctx) {
		if err != nil {
			return
		}
		if len(old) > 0 && l.rng.IntN(3) == 0 {
			l.take(ctx, old[l.rng.IntN(len(old))])
		}
		if ev.Reset == nil {
			old = append(old, ev)
		}
		if l.rng.IntN(10) == 0 {
			// A slow follower, in whose queue events become one.
			select {
			case <-time.After(time.Duration(l.rng.IntN(20)) * time.Millisecond):
			case <-ctx.Done():
			}
		}
		l.take(ctx, ev)
		wake(changed)
	}
}

// take brings the list up to date with an event.
func (l *keyList[T]) take(ctx context.Context, ev rowsync.Event) {
	next, err := rowsync.Sync(ctx, l.sub, l.value, ev)
	for errors.Is(err, rowsync.ErrReset) && ctx.Err() == nil {
		next, err = l.reload(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastErr = err; err == nil {
		l.value = next
	}
}

// showSets writes a value as show does, but every list as a set, and the types
// of the world of keys by what they mean.
func showSets(v any) string { return showSet(reflect.ValueOf(v)) }

func showSet(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case pgtype.Numeric:
		f, err := x.Float64Value()
		return fmt.Sprint(f.Float64, err)
	case [16]byte:
		return fmt.Sprintf("%x", x)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return showSet(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return "not loaded"
		}
		lines := make([]string, v.Len())
		for i := range lines {
			lines[i] = showSet(v.Index(i))
		}
		sort.Strings(lines)
		return "[\n" + strings.Join(lines, "\n") + "]"
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fields = append(fields, f.Name+":"+showSet(v.Field(i)))
			}
		}
		return v.Type().Name() + "{" + strings.Join(fields, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}
