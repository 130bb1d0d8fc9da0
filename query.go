package rowsync

import (
	"context"
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Query returns a Live list of rows of T's model, T being a struct type: those
// that the Select chooses, in its order, with its associations and those that
// the options [With] and [WithModel] name. Which rows they are, their order and
// the limit stay exact.
//
// Identical queries share one maintained value, so a page that a thousand people
// look at is loaded and kept in step once: queries for the same T with the same
// Where, OrderBy, Limit, Offset, associations and scope, and with Args that are
// equal in type and content. Args that can be compared are nil, strings, numbers,
// bools, [time.Time], and pointers to, slices and arrays of these; a query with
// any other is not shared, nor is one with an authorization function. Queries
// that come while the first is still loading wait for its one load. One that
// comes later gets the value at once as it then is: it may be behind a commit by
// as long as a change takes to arrive, and if the value cannot follow just then,
// it comes with the error of [Live.Err] and not with one from Query.
//
// An error of the first load is returned, to all who waited for it, and the next
// query tries again; of later ones see [Live.Err]. ctx bounds only how long
// Query waits for the first load, which goes on if others wait for it too; the
// Live runs until it or its Client is closed.
func Query[T any](ctx context.Context, c *Client, q Select, opts ...LiveOption) (*Live[[]*T], error) {
	s, err := newSelection[T](c, q, opts)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	h, err := s.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return &Live[[]*T]{h}, nil
}

// LoadAll returns the rows that the Select chooses, with its associations and
// those that the options name, as the database has them now: the load function
// that a Live of [Query] has, for values that are held by hand, see [Load]. The
// model must be watched, and so must the tables that its associations lead to.
func LoadAll[T any](ctx context.Context, c *Client, q Select, opts ...LiveOption) ([]*T, error) {
	s, err := newSelection[T](c, q, opts)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	v, err := s.load(ctx, s.tree)
	if err == nil {
		v, _, err = s.cfg.prune(ctx, c, s.plan, v)
	}
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	rows, _ := reflect.TypeAssert[[]*T](v)
	return rows, nil
}

// selection is a Select bound to a Client.
type selection struct {
	Select
	client *Client
	cfg    liveConfig
	list   reflect.Type
	model  *model.Model
	tree   *model.Tree
	plan   *graph.Node
	loader *load.Loader
	// key names what the selection stands for, unless it is nobody else's.
	key    shareKey
	shared bool
}

func newSelection[T any](c *Client, q Select, opts []LiveOption) (*selection, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	m, err := modelOf(c.opts.Models, reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	s := &selection{Select: q, client: c, cfg: liveConfigOf(opts), list: reflect.TypeFor[[]*T](), model: m}
	s.cfg.paths = append(s.cfg.paths, q.With...)
	r := root{} // as the Live's will be
	if err := r.grow(c, m, s.cfg.subscribeConfig); err != nil {
		return nil, err
	}
	s.tree, s.plan, s.loader = r.plan.Tree, r.plan, c.loaderFor(s.cfg.subscriberConfig)
	scope, shared := s.cfg.shareable()
	var args any
	var known bool
	s.Args, args, known = fixArgs(q.Args)
	s.key = shareKey{list: s.list, clause: q.clause(m), args: args, tree: s.tree.String(), scope: scope}
	s.shared = shared && known
	return s, nil
}

// open returns a hold on the Live of the selection.
func (s *selection) open(ctx context.Context) (*handle, error) {
	if s.shared {
		return s.client.shared.open(ctx, s.key, s.live, s.client.runLive)
	}
	l, err := s.live(ctx)
	if err != nil {
		return nil, err
	}
	return newHandle(l, l.close), nil
}

func (s *selection) live(ctx context.Context) (*live, error) {
	return newLive(ctx, s.client, s.list, s.cfg, livePlan{load: s.load, order: s.order})
}

// load returns the list as the database has it now.
func (s *selection) load(ctx context.Context, tree *model.Tree) (reflect.Value, error) {
	rows, err := s.loader.Select(ctx, tree, s.key.clause, s.Args)
	if err != nil {
		return reflect.Value{}, s.explain(err, s.model)
	}
	return mapper.Slice(s.list, rows), nil
}

// order returns the keys of the list's rows, in order.
func (s *selection) order(ctx context.Context) ([]mapper.Key, error) {
	keys, err := s.loader.Keys(ctx, s.model, s.key.clause, s.Args)
	if err != nil {
		return nil, s.explain(err, s.model)
	}
	return keys, nil
}
