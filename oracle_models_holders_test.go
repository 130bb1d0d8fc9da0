package rowsync_test

import (
	"context"
	"fmt"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/model"
)

// holder holds one value or several.
type holder interface {
	String() string
	// catchUp takes in events up to a position, or a number of them if that is
	// not negative.
	catchUp(ctx context.Context, position uint64, number int) error
	// lags reports whether the holder wants to stay behind this time.
	lags() bool
	// selections are what the judge must know the rows of.
	selections() []selection
	// pictures returns what is held, and what must be.
	pictures(v *verdicts) (got, want string)
	// altered returns a value that was handed out and is not what it was.
	altered() (was, is string, found bool)
	close()
}

// heldValue is what a holder is asked to hold.
type heldValue struct {
	selection
	shape int
	tree  *model.Tree
	kept  []keptPicture
}

// keptPicture is a value that was handed out, with what it was then.
type keptPicture struct {
	value any
	was   string
}

// The shapes of a value.
const (
	pointerList = iota // []*T
	valueList          // []T
	pointerMap         // map[key]*T
	valueMap           // map[key]T
	onePointer         // *T
	oneValue           // T
	valueShapes        // how many there are
)

func (h *heldValue) selections() []selection { return []selection{h.selection} }

func (h *heldValue) single() bool { return h.shape >= onePointer }

func (h *heldValue) String() string {
	return fmt.Sprintf("%s of %s with [%s]", [...]string{"pointers", "values", "map of pointers", "map of values", "pointer", "value"}[h.shape], h.name(), h.tree)
}

// keep notes a value that is handed out. A value of a struct type is copied by
// whoever takes it, so that only what it leads to could be altered. A map is
// written in no order.
func (h *heldValue) keep(v any) {
	if len(h.kept) < 100 {
		h.kept = append(h.kept, keptPicture{v, h.show(v, h.mapped())})
	}
}

func (h *heldValue) show(v any, sorted bool) string {
	return h.text(!h.mapped(), photographs(v, h.tree), sorted)
}

// text writes the rows at the top, and what is held by them.
func (h *heldValue) text(ordered bool, rows []picture, sorted bool) string {
	return picture{h.String(), []album{{"rows", ordered, "", rows}}}.text(sorted, "")
}

func (h *heldValue) mapped() bool { return h.shape == pointerMap || h.shape == valueMap }

// wanted is the picture of some rows in place of those that are held.
func (h *heldValue) wanted(v *verdicts, rows []*judged) []picture {
	out := []picture{}
	for _, r := range rows {
		out = append(out, v.paint(r, h.tree))
	}
	return out
}

func (h *heldValue) altered() (was, is string, found bool) {
	for _, k := range h.kept {
		if is := h.show(k.value, h.mapped()); is != k.was {
			return k.was, is, true
		}
	}
	return "", "", false
}

// liveHolder holds a Live.
type liveHolder[V any] struct {
	*heldValue
	live  *rowsync.Live[V]
	loads bool // by a function of its own
	beat  *pulse
}

func holdLiveValue[V any](l *rowsync.Live[V], h *heldValue, loads bool, err error) (holder, error) {
	if err != nil {
		return nil, err
	}
	if err := rowsync.SubscriberOf(l).SubscribeTo(rowsync.On[forestMark](rowsync.Inserted)); err != nil {
		l.Close()
		return nil, err
	}
	return &liveHolder[V]{heldValue: h, live: l, loads: loads}, nil
}

func (l *liveHolder[V]) String() string {
	return map[bool]string{false: "Query: ", true: "Follow: "}[l.loads] + l.heldValue.String()
}

func (l *liveHolder[V]) catchUp(ctx context.Context, position uint64, number int) error {
	l.keep(l.live.Value())
	if number >= 0 {
		return nil // it goes at its own pace
	}
	err := l.beat.await(ctx, func() bool { return l.live.Position().Seq >= position && l.live.Err() == nil })
	if err != nil {
		return fmt.Errorf("%s does not come to position %d from %d: %w (%w)", l, position, l.live.Position().Seq, err, l.live.Err())
	}
	l.keep(l.live.Value())
	return nil
}

func (l *liveHolder[V]) pictures(v *verdicts) (got, want string) {
	rows := v.roots[l.name()]
	if l.single() && len(rows) > 1 {
		rows = rows[:1]
	}
	return l.show(l.live.Value(), true), l.text(!l.mapped(), l.wanted(v, rows), true)
}

func (l *liveHolder[V]) lags() bool { return false }

func (l *liveHolder[V]) setPulse(p *pulse) { l.beat = p }

func (l *liveHolder[V]) close() { l.live.Close() }
