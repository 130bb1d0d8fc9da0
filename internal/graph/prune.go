package graph

import (
	"context"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// See says whether the holder of a value may see a row, which it must not alter.
type See func(ctx context.Context, m *model.Model, row reflect.Value) bool

// Prune returns the rows of a value that its holder may see, with what it may
// see of their associations, and the keys of the others. It alters no row. If ctx
// has ended, so that See may have had no other reason to say no, that is the error.
func (n *Node) Prune(ctx context.Context, see See, rows []reflect.Value) (kept []reflect.Value, hidden []mapper.Key, err error) {
	p := newPruner(ctx, see)
	for _, row := range rows {
		if now, ok := p.row(n, row); ok {
			kept = append(kept, now)
			continue
		}
		k, err := n.Mapper.Key(row)
		if err != nil {
			return nil, nil, err
		}
		hidden = append(hidden, k)
	}
	return kept, hidden, context.Cause(ctx)
}

// pruner takes out of rows what the holder may not see, by copying them, for
// they are shared. It asks about each struct once. A nil pruner takes out nothing.
type pruner struct {
	ctx   context.Context
	see   See
	asked map[any]bool // by pointer to the row
	done  map[place]reflect.Value
}

// place is a row at a node.
type place struct {
	n   *Node
	row any
}

func newPruner(ctx context.Context, see See) *pruner {
	if see == nil {
		return nil
	}
	return &pruner{ctx: ctx, see: see, asked: map[any]bool{}, done: map[place]reflect.Value{}}
}

// sees reports whether a row may be seen.
func (p *pruner) sees(n *Node, row reflect.Value) bool {
	if p == nil {
		return true
	}
	at := row.Addr().Interface()
	yes, known := p.asked[at]
	if !known {
		yes = p.see(p.ctx, n.Tree.Model, row)
		p.asked[at] = yes
	}
	return yes
}

// row returns a row with what may be seen of its associations; false if the row
// may not be seen itself.
func (p *pruner) row(n *Node, row reflect.Value) (reflect.Value, bool) {
	if p == nil || !row.IsValid() {
		return row, true
	}
	if !p.sees(n, row) {
		return reflect.Value{}, false
	}
	at := place{n, row.Addr().Interface()}
	if out, known := p.done[at]; known {
		return out, true
	}
	out := row
	for _, e := range n.Edges {
		was := mapper.TargetsOf(row, e.association())
		kept := p.targets(e, was)
		if Same(kept, was) {
			continue
		}
		if isRow(out, row) {
			out = copyOf(row)
		}
		mapper.SetTargets(out, e.association(), kept)
	}
	p.done[at] = out
	return out, true
}

// targets returns those of an association's rows that may be seen. Where one row
// is held, it is the first there is, or none if that may not be seen: who loads
// the value and prunes it then comes to the same.
func (p *pruner) targets(e *Edge, rows []reflect.Value) []reflect.Value {
	if p == nil {
		return rows
	}
	if !e.association().Many {
		rows = rows[:min(1, len(rows))]
	}
	kept := make([]reflect.Value, 0, len(rows))
	for _, row := range rows {
		if now, ok := p.row(e.Target, row); ok {
			kept = append(kept, now)
		}
	}
	return kept
}
