package rowsync

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// Target says what [Subscriber.SubscribeTo] follows. Make one with [On].
type Target struct {
	typ    reflect.Type
	ops    Op
	key    []any // not nil: by primary key
	column *string
	value  any
}

// On is all rows of T's model, T being a struct type, and the operations of
// ops on them.
func On[T any](ops Op) Target { return Target{typ: reflect.TypeFor[T](), ops: ops} }

// Key narrows the target to the row with this primary key: one value for each
// column of the key, in the model's order.
func (t Target) Key(values ...any) Target {
	t.key = append([]any{}, values...)
	return t
}

// Where narrows the target to the rows that hold a value in an association
// column: a column that refers to another row, and that some watched path
// needs. A change is told if the row held the value before it or after it.
func (t Target) Where(column string, value any) Target {
	t.column, t.value = &column, value
	return t
}

// SubscribeTo follows the target. Following it twice delivers once.
func (s *Subscriber) SubscribeTo(t Target) error {
	it, err := s.client.item(t)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.follow(byTarget, it, t.ops, 0)
	return s.open()
}

// Unsubscribe ends what SubscribeTo began with the same target, all operations
// of it. Events that wait in the queue still come.
func (s *Subscriber) Unsubscribe(t Target) error {
	it, err := s.client.item(t)
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	s.unfollow(byTarget, it)
	return nil
}

// item finds what a target means in the Client's schema.
func (c *Client) item(t Target) (route.Item, error) {
	none := route.Item{}
	if t.typ == nil {
		return none, fmt.Errorf("empty target: make one with rowsync.On")
	}
	m, err := modelOf(c.opts.Models, t.typ)
	if err != nil {
		return none, err
	}
	table := c.schema.table(m.Schema, m.Table)
	if table == nil || c.schema.plans.Mappers[m] == nil {
		return none, fmt.Errorf("model %s is not watched: add rowsync.WatchModel[%s]() to Options.Watchers", m, m.Type)
	}
	if t.ops&AnyOp == 0 || t.ops&^AnyOp != 0 {
		return none, fmt.Errorf("operations %q of model %s: name Inserted, Updated, Deleted or several of them", t.ops, m)
	}
	switch {
	case t.key != nil && t.column != nil:
		return none, fmt.Errorf("target of model %s with a key and a column: use either Key or Where", m)
	case t.key != nil:
		if t.ops == Inserted {
			return none, fmt.Errorf("inserted rows of model %s cannot be followed by primary key: the key does not exist before the row does; follow all inserts or an association column", m)
		}
		return c.lookup(table, m, m.Key, t.key)
	case t.column != nil:
		return c.whereItem(table, m, t)
	}
	return route.Item{Table: table, Lookup: route.WholeTable}, nil
}

func (c *Client) whereItem(table *route.Table, m *model.Model, t Target) (route.Item, error) {
	col := m.Column(*t.column)
	if col == nil {
		return route.Item{}, fmt.Errorf("model %s has no column %q; it has: %s", m, *t.column, strings.Join(columnNames(m.Columns), ", "))
	}
	if _, ok := c.schema.index.Lookup(table, []string{col.Name}); !ok {
		return route.Item{}, fmt.Errorf("column %q of model %s is not an association column of any watched path: watch a path that needs it, such as the belongs to that it holds the key of, or its opposite", col.Name, m)
	}
	return c.lookup(table, m, []*model.Column{col}, []any{t.value})
}

// lookup returns the item for rows that hold values in columns.
func (c *Client) lookup(table *route.Table, m *model.Model, columns []*model.Column, values []any) (route.Item, error) {
	if len(values) != len(columns) {
		return route.Item{}, fmt.Errorf("%d values for %s of model %s: pass one for each of %s",
			len(values), "the key", m, strings.Join(columnNames(columns), ", "))
	}
	n, ok := c.schema.index.Lookup(table, columnNames(columns))
	if !ok {
		return route.Item{}, fmt.Errorf("columns %v of model %s are not watched", columnNames(columns), m)
	}
	texts := make([]string, len(columns))
	var err error
	for i, col := range columns {
		var set bool
		if texts[i], set, err = c.schema.plans.Mappers[m].Text(col, values[i]); err != nil {
			return route.Item{}, fmt.Errorf("value of column %s of model %s: %w", col.Name, m, err)
		}
		if !set {
			return route.Item{}, fmt.Errorf("null for column %s of model %s: a null refers to no row", col.Name, m)
		}
	}
	return route.Item{Table: table, Lookup: n, Key: mapper.Join(texts...)}, nil
}
