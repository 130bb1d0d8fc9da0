package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/rowsync/rowsync"
)

// hands hold one value or two of different models with one Subscriber, by Load
// and Sync. They take in events in the goroutine of the test, some of them
// twice or late.
type hands struct {
	sub    *rowsync.Subscriber
	values []handful
	next   func() (rowsync.Event, error, bool)
	stop   func()
	end    context.CancelFunc
	rng    *rand.Rand
	at     uint64
	// late are events that wait to be taken in, old those that were.
	late, old []rowsync.Event
}

// handful is one value in hands.
type handful interface {
	String() string
	// follow tells the Subscriber what to follow beside the value.
	tell(sub *rowsync.Subscriber) error
	load(ctx context.Context, sub *rowsync.Subscriber) error
	sync(ctx context.Context, sub *rowsync.Subscriber, ev rowsync.Event) error
	selections() []selection
	pictures(v *verdicts) (got, want string)
	altered() (was, is string, found bool)
	prepare(p *parish, told []rowsync.Target, meanwhile func(context.Context) error)
}

func holdInHands(ctx context.Context, c *rowsync.Client, lag int, values ...handful) (holder, error) {
	ctx, end := context.WithCancel(ctx)
	h := &hands{sub: c.NewSubscriber(ctx), values: values, end: end, rng: rand.New(rand.NewPCG(uint64(lag), 1))}
	h.next, h.stop = iter.Pull2(h.sub.Events(ctx))
	err := h.sub.SubscribeTo(rowsync.On[forestMark](rowsync.Inserted))
	for _, v := range values {
		if err == nil {
			err = v.tell(h.sub)
		}
		if err == nil {
			err = v.load(ctx, h.sub)
		}
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *hands) String() string {
	texts := make([]string, len(h.values))
	for i, v := range h.values {
		texts[i] = v.String()
	}
	return "by hand: " + strings.Join(texts, "; ")
}

func (h *hands) catchUp(ctx context.Context, position uint64, number int) error {
	for n := 0; h.at < position && (number < 0 || n < number); n++ {
		ev, err, ok := h.next()
		if !ok || err != nil {
			return fmt.Errorf("%s has no further event at position %d, before %d: %w", h, h.at, position, err)
		}
		h.at = max(h.at, ev.Position.Seq)
		if err := h.take(ctx, ev); err != nil {
			return err
		}
	}
	if number >= 0 {
		return nil
	}
	for len(h.late) > 0 {
		last := len(h.late) - 1
		ev := h.late[last]
		h.late = h.late[:last]
		if err := h.sync(ctx, ev); err != nil {
			return err
		}
	}
	return nil
}

// take takes in an event, now or later, and perhaps an old one again.
func (h *hands) take(ctx context.Context, ev rowsync.Event) error {
	if ev.Reset != nil {
		return h.sync(ctx, ev)
	}
	if ev.Table.Name == "forest_marks" {
		return nil
	}
	chance := h.rng.IntN(8)
	if chance == 0 && len(h.old) > 0 {
		if err := h.sync(ctx, h.old[h.rng.IntN(len(h.old))]); err != nil {
			return err
		}
	}
	h.old = append(h.old, ev)
	if chance == 1 {
		h.late = append(h.late, ev)
		return nil
	}
	return h.sync(ctx, ev)
}

func (h *hands) sync(ctx context.Context, ev rowsync.Event) error {
	for _, v := range h.values {
		err := v.sync(ctx, h.sub, ev)
		if errors.Is(err, rowsync.ErrReset) {
			err = v.load(ctx, h.sub)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", v, ev, err)
		}
	}
	return nil
}

func (h *hands) lags() bool { return h.rng.IntN(3) == 0 }

func (h *hands) selections() (all []selection) {
	for _, v := range h.values {
		all = append(all, v.selections()...)
	}
	return all
}

func (h *hands) pictures(v *verdicts) (got, want string) {
	for _, each := range h.values {
		g, w := each.pictures(v)
		got, want = got+g+"\n", want+w+"\n"
	}
	return got, want
}

func (h *hands) altered() (was, is string, found bool) {
	for _, v := range h.values {
		if was, is, found = v.altered(); found {
			return was, is, found
		}
	}
	return "", "", false
}

func (h *hands) close() {
	h.end()
	h.stop()
}

// handfulOf is a value of type V.
type handfulOf[V any] struct {
	*heldValue
	read func(context.Context) (V, error)
	held V
	// told is what the Subscriber is told of beside: all rows of the model, so
	// that a list holds them all, or the row of a single value, which so comes
	// when its row does.
	told      []rowsync.Target
	parish    *parish
	meanwhile func(context.Context) error
	// loaded are the rows that the last load returned, with how often each had
	// vanished before.
	loaded map[string]int
}

func (h *handfulOf[V]) prepare(p *parish, told []rowsync.Target, meanwhile func(context.Context) error) {
	h.parish, h.told, h.meanwhile = p, told, meanwhile
}

func (h *handfulOf[V]) String() string {
	if h.told != nil {
		return "told " + h.heldValue.String()
	}
	return h.heldValue.String()
}

func (h *handfulOf[V]) tell(sub *rowsync.Subscriber) error {
	return sub.SubscribeTo(h.told...)
}

func (h *handfulOf[V]) load(ctx context.Context, sub *rowsync.Subscriber) (err error) {
	h.held, err = rowsync.Load(ctx, sub, func(ctx context.Context) (V, error) {
		v, err := h.read(ctx)
		h.loaded = map[string]int{}
		for _, row := range structsOf(reflect.ValueOf(v)) {
			k := h.parish.key(h.of, traitsOf(row))
			h.loaded[k] = h.parish.vanished[k]
		}
		if err == nil {
			err = h.meanwhile(ctx)
		}
		return v, err
	}, rowsync.With(h.With...))
	h.keep(h.held)
	return err
}

func (h *handfulOf[V]) sync(ctx context.Context, sub *rowsync.Subscriber, ev rowsync.Event) (err error) {
	h.held, err = rowsync.Sync(ctx, sub, h.held, ev)
	if err == nil {
		h.keep(h.held)
	}
	return err
}

// pictures compares with the rows that must be held.
func (h *handfulOf[V]) pictures(v *verdicts) (got, want string) {
	got = h.text(false, photographs(h.held, h.tree), true)
	must := h.must(v)
	if h.single() && len(must) == 0 {
		return got, got // a single value whose row is gone stays as it is
	}
	return got, h.text(false, h.wanted(v, must), true)
}

// must is the rows that must be held: those that the Subscriber is told of, or
// else those that were loaded and still exist. One that vanished meanwhile and
// came again may be among the latter or not, as it happened.
func (h *handfulOf[V]) must(v *verdicts) []*judged {
	all := v.rows[v.forest.models[h.of]]
	switch {
	case h.told != nil && h.single():
		return v.roots[h.name()]
	case h.told != nil:
		return all
	}
	here := map[string]bool{}
	if !h.single() {
		for _, row := range structsOf(reflect.ValueOf(h.held)) {
			here[h.parish.key(h.of, traitsOf(row))] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r *judged) bool {
		k := h.parish.key(h.of, &r.Traits)
		times, loaded := h.loaded[k]
		return !loaded || !here[k] && times != h.parish.vanished[k]
	})
}
