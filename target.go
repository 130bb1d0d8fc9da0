package rowsync

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Target names a watcher, and which of its changes are meant. Make one with
// [On] or [Label].
type Target struct {
	typ    reflect.Type
	label  string
	ops    Op    // 0: all of the label's
	key    []any // not nil: by primary key
	column *string
	value  any
}

// On is the operations of ops on all rows of T's model, T being a struct type:
// the watchers that are named by model and operation.
func On[T any](ops Op) Target { return Target{typ: reflect.TypeFor[T](), ops: ops} }

// Label is the watcher with this label, all its operations on all its rows.
func Label(label string) Target { return Target{label: label} }

// Only narrows the target to some of its operations.
func (t Target) Only(ops Op) Target {
	if t.ops == 0 {
		t.ops = AnyOp
	}
	t.ops &= ops
	if t.ops == 0 {
		t.ops = noOp
	}
	return t
}

// noOp is what Only leaves if it leaves nothing; every use of it is an error.
const noOp Op = 1 << 7

// Key narrows the target to the row with this primary key: one value for each
// column of the key, in its order. A change that gives a row another key is
// told to the followers of both.
func (t Target) Key(values ...any) Target {
	t.key = append([]any{}, values...)
	return t
}

// Where narrows the target to the rows that hold a value in an association
// column: a column that refers to another row. It must travel with the
// changes: see ExtraColumns of [Watch]. A change is told if the row held the
// value before it or holds it after it. A nil value, or a nil pointer, means the
// rows where the column is null.
func (t Target) Where(column string, value any) Target {
	t.column, t.value = &column, value
	return t
}

// String describes the target for messages and logs.
func (t Target) String() string {
	var b strings.Builder
	switch {
	case t.label != "":
		fmt.Fprintf(&b, "%q", t.label)
		if t.ops != 0 {
			fmt.Fprintf(&b, " (%s)", past(t.ops))
		}
	case t.typ == nil:
		b.WriteString("no target")
	default:
		fmt.Fprintf(&b, "(%s, %s)", t.typ.Name(), past(t.ops))
	}
	if t.key != nil {
		fmt.Fprintf(&b, " with key %v", t.key)
	}
	if t.column != nil {
		fmt.Fprintf(&b, " where %s = %v", *t.column, t.value)
	}
	return b.String()
}

// aim is a target bound to the Client's watchers.
type aim struct {
	target Target
	label  *watched // nil: the watchers that model and operation name
	// named are the watchers that are meant; label alone if it is not nil.
	named []*watched
	item  route.Item
	way   way
	ops   Op
}

// aims finds what targets mean, or all that is wrong with them.
func (c *Client) aims(targets []Target) ([]aim, error) {
	var errs []error
	aims := make([]aim, len(targets))
	for i, t := range targets {
		var err error
		aims[i], err = c.aim(t)
		aims[i].target = t
		errs = append(errs, err)
	}
	return aims, errors.Join(errs...)
}

// aim finds what a target means.
func (c *Client) aim(t Target) (aim, error) {
	var (
		a   aim
		err error
	)
	switch {
	case t.label != "":
		a, err = c.aimLabel(t)
	case t.typ == nil:
		err = fmt.Errorf("empty target: make one with rowsync.On or rowsync.Label")
	default:
		a, err = c.aimModel(t)
	}
	if err != nil {
		return a, err
	}
	w := a.named[0]
	a.item = route.Item{Table: w.table, Lookup: route.WholeTable}
	a.way = way{model: w.model, where: t.column != nil}
	switch {
	case t.key != nil && t.column != nil:
		return a, fmt.Errorf("target %s has both a key and a column: use either Key or Where", t)
	case t.key != nil:
		if a.ops == Inserted {
			return a, fmt.Errorf("inserted rows of %s cannot be followed by primary key: the key does not exist before the row does; follow all inserts or an association column", w.of())
		}
		err = c.byKey(&a, t.key)
	case t.column != nil:
		err = c.byColumn(&a, *t.column, t.value)
	}
	return a, err
}

func (c *Client) aimLabel(t Target) (aim, error) {
	var labels []string
	for _, w := range c.schema.watchers {
		if w.watch.Label == "" {
			continue
		}
		labels = append(labels, fmt.Sprintf("%q", w.watch.Label))
		if w.watch.Label != t.label {
			continue
		}
		if t.ops&^AnyOp != 0 {
			return aim{}, fmt.Errorf("operations %q of watcher %q: name Inserted, Updated, Deleted or several of them", t.ops, t.label)
		}
		a := aim{label: w, named: []*watched{w}, ops: t.ops}
		if t.ops == 0 {
			a.ops = w.ops
		}
		if more := a.ops &^ w.ops; more != 0 {
			return a, fmt.Errorf("watcher %q does not tell of %s rows: it watches %s", t.label, past(more), past(w.ops))
		}
		return a, nil
	}
	if labels == nil {
		labels = []string{"none"}
	}
	return aim{}, fmt.Errorf("no watcher has the label %q; the labels are: %s", t.label, strings.Join(labels, ", "))
}

func (c *Client) aimModel(t Target) (aim, error) {
	m, err := modelOf(c.opts.Models, t.typ)
	if err != nil {
		return aim{}, err
	}
	if t.ops&AnyOp == 0 || t.ops&^AnyOp != 0 {
		return aim{}, fmt.Errorf("operations %q of model %s: name Inserted, Updated, Deleted or several of them", t.ops, m)
	}
	a := aim{ops: t.ops}
	var known Op
	for _, w := range c.schema.watchers {
		if w.model == m && w.watch.Label == "" {
			known |= w.ops
			if w.ops&t.ops != 0 {
				a.named = append(a.named, w)
			}
		}
	}
	switch {
	case known == 0:
		return a, fmt.Errorf("model %s is not watched: add rowsync.Watch{Model: %s{}} or rowsync.WatchModel[%s]() to Options.Watchers", m, m.Type, m.Type)
	case t.ops&^known != 0:
		return a, fmt.Errorf("model %s is not watched for %s rows, only for %s: add a Watch for them to Options.Watchers", m, past(t.ops&^known), past(known))
	}
	return a, nil
}

// of names what the watcher watches, for messages.
func (w *watched) of() string {
	if w.model != nil {
		return "model " + w.model.String()
	}
	return "table " + w.name.String()
}

func (c *Client) byKey(a *aim, values []any) error {
	w := a.named[0]
	return c.find(a, w.key, values, func(column string) error {
		return fmt.Errorf("null for key column %s of %s: a key is never null", column, w.of())
	})
}

// byColumn finds the rows that hold a value in an association column of every
// watcher that is meant.
func (c *Client) byColumn(a *aim, name string, value any) error {
	for _, w := range a.named {
		column, ok := w.column(name)
		switch {
		case !ok:
			return fmt.Errorf("%s has no column %q; it has: %s", w.of(), name, strings.Join(w.names(), ", "))
		case !w.associates(column):
			return fmt.Errorf("column %q of %s is not an association column: it refers to no other row by a foreign key or a belongs to association; %s",
				name, w.of(), w.associatesBy())
		case !w.travels(column):
			return fmt.Errorf("column %q is an association column of %s, but it does not travel with the changes: name it in ExtraColumns of watch %s", name, w.of(), w.made)
		}
	}
	column, _ := a.named[0].column(name)
	return c.find(a, []string{column}, []any{value}, func(string) error { return nil })
}

// find sets the item to the rows that hold values in columns. null says what a
// null among them means: an error, or the rows that hold a null there.
func (c *Client) find(a *aim, columns []string, values []any, null func(column string) error) error {
	w := a.named[0]
	if len(values) != len(columns) {
		return fmt.Errorf("%d values for the key of %s: pass one for each of %s", len(values), w.of(), strings.Join(columns, ", "))
	}
	n, ok := c.schema.index.Lookup(w.table, columns)
	if !ok {
		return fmt.Errorf("columns %v of %s are not watched", columns, w.of())
	}
	a.item.Lookup = n
	texts := make([]string, len(columns))
	for i, name := range columns {
		text, set, err := mapper.TextOf(w.found.Column(name), values[i])
		if err != nil {
			return fmt.Errorf("value of column %s of %s: %w", name, w.of(), err)
		}
		if !set {
			if err := null(name); err != nil {
				return err
			}
			a.item.Null = true
		}
		texts[i] = text
	}
	if !a.item.Null {
		a.item.Key = mapper.Join(texts...)
	}
	return nil
}
