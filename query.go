package rowsync

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Select chooses rows of a model's table.
type Select struct {
	// Where is a condition in SQL on the table's columns, with parameters $1,
	// $2, … for Args; "" chooses every row. A Live over it hears of changes of
	// the model's own table: a condition that reads other tables, or the time,
	// is decided anew only then.
	Where string
	Args  []any
	// OrderBy is what follows ORDER BY in SQL. Rows that it does not tell apart,
	// or all if it is "", come in order of the primary key.
	OrderBy string
	// With names the associations to load and keep in step, see [With].
	With []string
}

// clause is what follows FROM.
func (s Select) clause(m *model.Model) string {
	var b strings.Builder
	if s.Where != "" {
		fmt.Fprintf(&b, "where (%s) ", s.Where)
	}
	b.WriteString("order by ")
	if s.OrderBy != "" {
		fmt.Fprintf(&b, "%s, ", s.OrderBy)
	}
	for i, c := range m.Key {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("t." + quoteIdent(c.Name))
	}
	return b.String()
}

// Query returns a Live list of rows of T's model, T being a struct type: those
// that the Select chooses, in its order, with its associations. Which rows they
// are and their order stay exact.
//
// An error of the first load is returned; of later ones see [Live.Err]. ctx
// bounds only the first load; the Live runs until it or its Client is closed.
func Query[T any](ctx context.Context, c *Client, q Select, opts ...LiveOption) (*Live[[]*T], error) {
	s, err := newSelection[T](c, q)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	cfg := liveConfigOf(opts)
	cfg.paths = append(cfg.paths, q.With...)
	l, err := newLive(ctx, c, s.typ, cfg, livePlan{load: s.load, order: s.order})
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return &Live[[]*T]{l}, nil
}

// selection is a Select bound to a Client.
type selection struct {
	loader *load.Loader
	typ    reflect.Type // of the list
	tree   *model.Tree
	clause string
	args   []any
}

func newSelection[T any](c *Client, q Select) (*selection, error) {
	m, err := modelOf(c.opts.Models, reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	tree, err := m.Tree(q.With...)
	if err != nil {
		return nil, err
	}
	if _, err := c.schema.plans.Bind(tree); err != nil {
		return nil, err
	}
	return &selection{
		loader: c.schema.loader, typ: reflect.TypeFor[[]*T](), tree: tree,
		clause: q.clause(m), args: q.Args,
	}, nil
}

// load returns the list as the database has it now.
func (s *selection) load(ctx context.Context) (reflect.Value, error) {
	rows, err := s.loader.Select(ctx, s.tree, s.clause, s.args)
	if err != nil {
		return reflect.Value{}, err
	}
	return mapper.Slice(s.typ, rows), nil
}

// order returns the keys of the list's rows, in order.
func (s *selection) order(ctx context.Context) ([]mapper.Key, error) {
	return s.loader.Keys(ctx, s.tree.Model, s.clause, s.args)
}

// LoadAll returns the rows that the Select chooses, with its associations, as the
// database has them now: the load function that a Live of [Query] has, for
// values that are held by hand, see [Load]. The model must be watched, and so
// must the tables that its associations lead to.
func LoadAll[T any](ctx context.Context, c *Client, q Select) ([]*T, error) {
	s, err := newSelection[T](c, q)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	v, err := s.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	rows, _ := reflect.TypeAssert[[]*T](v)
	return rows, nil
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
