package graph

import (
	"context"
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Change is a change of one row as Reconcile needs it: a hint that the rows
// with these keys may differ from what is held.
type Change struct {
	Table *route.Table
	// Appeared says that the row may have come into being or ceased to be.
	Appeared bool
	// Rows is every state of the row that is known of: before the change,
	// after it, and between several.
	Rows []capture.Row
	// New is the row after the change; nil if it was deleted.
	New capture.Row
	Pos uint64
}

// Host is whose value is reconciled.
type Host struct {
	Loader *load.Loader
	Clock  *load.Clock
	// Need is the position as of which everything must be read, at least: that
	// of the last event the holder has taken in. An event that was joined with
	// a later one may be taken in before one of a position between, and what
	// was read for that one alone would bring back what is past.
	Need uint64
	// Ahead, if not nil, returns the changes that wait behind these: what has to
	// be read is read together with what they will need.
	Ahead func() []Change
	// Saw is told each position that something which came into the value was
	// read at. It may be newer than the changes, and what happened up to there
	// was not told if the rows were not followed yet: nothing older may be used
	// for the value from then on.
	Saw func(pos uint64)
	// Follow follows an item. It says whether it did not before, and whether
	// the item may have changed after the position.
	Follow func(it route.Item, since uint64) (isNew, changed bool)
	// See, if not nil, says which rows the holder may see: others are treated as
	// though they did not exist.
	See See
	// Hidden, if not nil, is the rows at the root that the holder may not see.
	Hidden *Hidden
	// Unfollow ends it, for rows that left the value.
	Unfollow func(it route.Item)
	// Admit says whether a row of the root's model that exists and is not in
	// the list belongs there.
	Admit func(key mapper.Key) bool
	// Single says that the root is one value, which stays as it is, followed
	// still, when its row is gone: the row may come back.
	Single bool
	// Order, if not nil, is exactly what the root list holds, in order; Admit
	// is then not asked.
	Order []mapper.Key
	// Fill is the edges whose associations the value does not hold yet, see
	// [Node.Added]: they are read for every owner.
	Fill map[*Edge]bool
}

// Reconcile returns root as it is in the database as far as the changes tell,
// root being the structs of a value of the plan. It alters none of them.
func (n *Node) Reconcile(ctx context.Context, h *Host, root []reflect.Value, changes []Change) ([]reflect.Value, error) {
	r := &run{Host: h, ctx: ctx, facts: newFacts(n, h.Need, changes), prune: newPruner(ctx, h.See)}
	if err := r.readRows(n); err != nil {
		return nil, err
	}
	r.fill(n, h.Fill)
	first := true
	for {
		r.begin()
		out, err := r.root(n, root)
		if err != nil {
			return nil, err
		}
		if r.lacks() {
			if err := r.read(); err != nil {
				return nil, err
			}
			continue
		}
		current, err := r.follow(first)
		if err != nil {
			return nil, err
		}
		if !current {
			first = false
			continue
		}
		if h.See != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx) // what See said may mean just that
		}
		r.Saw(r.need)
		for _, u := range r.used {
			r.Saw(u.pos)
		}
		released := r.settleHidden(n)
		if r.Single && len(out) == 0 {
			return out, nil
		}
		return out, r.unfollowGone(n, out, released)
	}
}

// run is one call of Reconcile. It walks the value with the facts it has and
// notes which ones it lacks; when it lacks none, the walk's result holds.
type run struct {
	*Host
	*facts
	ctx   context.Context
	prune *pruner // nil: everything may be seen

	gone     []goneRow
	goneEdge []goneEdge
	// lost is the rows that the root held and holds no more, back those that
	// were hidden and that it holds again, missing those of Order that it lacks.
	lost, back, missing []mapper.Key
}

type goneRow struct {
	n   *Node
	row reflect.Value
}

type goneEdge struct {
	e     *Edge
	owner reflect.Value
}

func (r *run) begin() {
	r.gone, r.goneEdge = nil, nil
	r.lost, r.back, r.missing = nil, nil, nil
	r.used = nil
}

// root walks the list at the top.
func (r *run) root(n *Node, held []reflect.Value) ([]reflect.Value, error) {
	out := make([]reflect.Value, 0, len(held)+1)
	byKey := make(map[mapper.Key]reflect.Value, len(held))
	for _, row := range held {
		k, err := n.Mapper.Key(row)
		if err != nil {
			return nil, err
		}
		var now reflect.Value
		var alive bool
		if r.Hidden.Has(k) || r.Single && r.appeared(n, k) {
			// A single value goes on to show it as it was before. Nothing of
			// it was brought up to date since, so it must be read anew.
			if now, alive = r.comeBack(n, k); !alive {
				continue
			}
		} else if now, alive, err = r.row(n, row, k); err != nil {
			return nil, err
		}
		if !alive {
			r.lost = append(r.lost, k)
			r.gone = append(r.gone, goneRow{n, row})
			continue
		}
		byKey[k] = now
		out = append(out, now)
	}
	if r.Order != nil {
		return r.arrange(n, byKey)
	}
	for _, k := range r.changedRows(n) {
		if _, present := byKey[k.key]; present || !r.rows[n.Tree.Model][k.key].Exists() || !r.Admit(k.key) {
			continue
		}
		row, ok := r.comeBack(n, k.key)
		if ok {
			byKey[k.key] = row
			out = append(out, row)
		}
	}
	return out, nil
}

// arrange makes the list of exactly the rows of r.Order.
func (r *run) arrange(n *Node, held map[mapper.Key]reflect.Value) ([]reflect.Value, error) {
	out := make([]reflect.Value, 0, len(r.Order))
	stays := make(map[mapper.Key]bool, len(r.Order))
	for _, k := range r.Order {
		if stays[k] {
			continue
		}
		stays[k] = true
		row, ok := held[k]
		if !ok {
			row, ok = r.comeBack(n, k)
		}
		if ok {
			out = append(out, row)
		} else {
			r.missing = append(r.missing, k)
		}
	}
	for k, row := range held {
		if !stays[k] {
			r.gone = append(r.gone, goneRow{n, row})
		}
	}
	return out, nil
}

// row brings one held row and what it holds up to date. A row that no longer
// exists is not alive.
func (r *run) row(n *Node, held reflect.Value, k mapper.Key) (out reflect.Value, alive bool, err error) {
	out = held
	if fresh, known := r.rows[n.Tree.Model][k]; known {
		if !fresh.Exists() {
			return held, false, nil
		}
		if !n.Mapper.SameColumns(held, fresh.Value) {
			out = copyOf(held)
			n.Mapper.CopyColumns(out, fresh.Value)
		}
	}
	for _, e := range n.Edges {
		if isRow(out, held) && !r.depends[e] {
			continue
		}
		targets, changed, err := r.edge(e, held, out)
		if err != nil {
			return held, false, err
		}
		if changed {
			if isRow(out, held) {
				out = copyOf(held)
			}
			mapper.SetTargets(out, e.association(), targets)
		}
	}
	return out, true, nil
}

// isRow reports whether two structs, both addressable, are the same one.
func isRow(x, y reflect.Value) bool { return x.Addr().Pointer() == y.Addr().Pointer() }

// Same reports whether two lists hold the same structs in the same order.
func Same(x, y []reflect.Value) bool { return slices.EqualFunc(x, y, isRow) }

func copyOf(row reflect.Value) reflect.Value {
	c := reflect.New(row.Type()).Elem()
	c.Set(row)
	return c
}

// arrive returns the row with its associations, read from the database, or
// notes that it must be read: a target of the edge, or at the root if that is
// nil. It is false if there is no such row.
func (r *run) arrive(n *Node, e *Edge, k mapper.Key) (reflect.Value, bool) {
	b, known := r.bundles[n][k]
	if !known {
		r.wantBundle(n, k)
		return reflect.Value{}, false
	}
	if !b.Value.IsValid() {
		return reflect.Value{}, false
	}
	r.used = append(r.used, use{n: n, e: e, key: k, rows: []reflect.Value{b.Value}, pos: b.Pos})
	return b.Value, true
}
