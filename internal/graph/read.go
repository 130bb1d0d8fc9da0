package graph

import (
	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// readRows reads what the changes touch: the rows themselves, and what join
// tables say of them.
func (r *run) readRows(n *Node) error {
	m := n.Tree.Model
	if _, done := r.rows[m]; !done && r.touched[n.Table] {
		keys := r.changedRows(n)
		wants := make([]load.Want, len(keys))
		for i, k := range keys {
			wants[i] = load.Want{Key: k.key, Need: r.need}
		}
		rows, err := r.Loader.Rows(r.ctx, m, wants, r.ahead(n, false))
		if err != nil {
			return err
		}
		r.rows[m] = rows
		r.hideRows(n)
	}
	for _, e := range n.Edges {
		if !r.depends[e] {
			continue
		}
		if err := r.readRows(e.Target); err != nil {
			return err
		}
		if err := r.readMembers(e); err != nil {
			return err
		}
	}
	return nil
}

// ahead returns what says which rows of the node the changes that wait will
// need: all that changed, or only those that appeared.
func (r *run) ahead(n *Node, appeared bool) func() []load.Want {
	if r.Ahead == nil {
		return nil
	}
	return func() (wants []load.Want) {
		for _, c := range r.Ahead() {
			if c.Table != n.Table || appeared && !c.Appeared {
				continue
			}
			for _, k := range keysOf(n, c.Rows) {
				wants = append(wants, load.Want{Key: k, Need: c.Pos})
			}
		}
		return wants
	}
}

// readMembers finds out which owners the changed rows of an edge belong to.
func (r *run) readMembers(e *Edge) error {
	switch e.association().Kind {
	case model.Through:
		return nil
	case model.ManyToMany:
		if err := r.readPairs(e); err != nil {
			return err
		}
		return r.readLinkers(e)
	}
	for _, c := range r.changedRows(e.Target) {
		row := r.rows[e.Target.Tree.Model][c.key]
		if !r.member(e, row) {
			continue
		}
		owner, ok, err := e.Target.Mapper.KeyOf(row.Value, e.association().TargetColumns)
		if err != nil {
			return err
		}
		if ok {
			r.arrivalOf(e, owner, c.key, load.Bundle{Value: row.Value, Pos: row.Pos})
		}
	}
	return nil
}

// member reports whether a row exists and meets the association's condition.
func (r *run) member(e *Edge, row load.Row) bool {
	return row.Exists() && (e.met < 0 || row.Met[e.met])
}

// arrivalOf notes that a row belongs to an owner. Where rows are held without
// associations, the row just read is all that there is to bring.
func (r *run) arrivalOf(e *Edge, owner, key mapper.Key, row load.Bundle) {
	r.arrival(e, owner, key)
	if len(e.Target.Edges) == 0 {
		r.bundle(e.Target, key, row)
	}
}

// readPairs reads the links that changed rows of the join table are about.
func (r *run) readPairs(e *Edge) error {
	a := e.association()
	var pairs []load.Pair
	seen := map[load.Pair]bool{}
	for _, c := range r.changes {
		if c.Table != e.join {
			continue
		}
		for _, row := range c.Rows {
			p, ok := pairIn(e, row)
			if ok && !seen[p] {
				seen[p] = true
				pairs = append(pairs, p)
			}
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	found, err := r.Loader.Pairs(r.ctx, a, pairs, r.need)
	if err != nil {
		return err
	}
	for p, row := range found {
		linked := row.Value.IsValid() && r.prune.sees(e.Target, row.Value)
		r.setLink(e, p.Owner, p.Target, linked)
		if !linked {
			continue
		}
		k, err := e.Target.Mapper.Key(row.Value)
		if err != nil {
			return err
		}
		r.arrivalOf(e, p.Owner, k, row)
	}
	return nil
}

// pairIn returns what a join row says of owner and target; false if one is null.
func pairIn(e *Edge, row capture.Row) (load.Pair, bool) {
	join := e.association().Join
	owner, hasOwner := e.join.KeyIn(join.OwnerColumns, row)
	target, hasTarget := e.join.KeyIn(join.TargetColumns, row)
	return load.Pair{Owner: owner, Target: target}, hasOwner && hasTarget
}

// readLinkers finds the owners of target rows that may have become visible
// through the association: new ones, and all where it has a condition or the
// holder may not see every row.
func (r *run) readLinkers(e *Edge) error {
	a := e.association()
	var wants []load.Want
	of := map[mapper.Key]changed{}
	for _, c := range r.changedRows(e.Target) {
		row := r.rows[e.Target.Tree.Model][c.key]
		if !r.member(e, row) || (!c.appeared && a.Where == "" && !e.guarded && sameColumns(a.TargetColumns, e.Target.Tree.Model.Key)) {
			continue
		}
		ref, ok, err := e.Target.Mapper.KeyOf(row.Value, a.TargetColumns)
		if err != nil {
			return err
		}
		if ok {
			wants = append(wants, load.Want{Key: ref, Need: r.need})
			of[ref] = c
		}
	}
	if len(wants) == 0 {
		return nil
	}
	owners, err := r.Loader.Linkers(r.ctx, a, wants)
	if err != nil {
		return err
	}
	for ref, list := range owners {
		row := r.rows[e.Target.Tree.Model][of[ref].key]
		for _, owner := range list {
			r.setLink(e, owner, ref, true)
			r.arrivalOf(e, owner, of[ref].key, load.Bundle{Value: row.Value, Pos: row.Pos})
		}
	}
	return nil
}

func sameColumns(x, y []*model.Column) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// read reads what the last walk lacked.
func (r *run) read() error {
	for n, keys := range r.wantedBundles {
		found, err := r.Loader.Bundles(r.ctx, n.Tree, load.Wants(keys, r.need), r.ahead(n, true))
		if err != nil {
			return err
		}
		for k, b := range found {
			b.Value, _ = r.prune.row(n, b.Value)
			r.bundle(n, k, b)
		}
	}
	for e, owners := range r.wantedLists {
		found, err := r.Loader.Lists(r.ctx, e.Branch, load.Wants(owners, r.need))
		if err != nil {
			return err
		}
		if r.lists[e] == nil {
			r.lists[e] = map[mapper.Key]load.List{}
		}
		for k, l := range found {
			l.Values = r.prune.targets(e, l.Values)
			r.lists[e][k] = l
		}
	}
	r.wantedBundles, r.wantedLists = nil, nil
	return nil
}
