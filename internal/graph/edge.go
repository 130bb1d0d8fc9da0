package graph

import (
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// edge brings the rows of one association up to date: held is the owner as it
// was, now the owner with its present columns.
func (r *run) edge(e *Edge, held, now reflect.Value) (targets []reflect.Value, changed bool, err error) {
	owner, ok, err := e.ownerKey(now)
	if err != nil {
		return nil, false, err
	}
	was := mapper.TargetsOf(held, e.association())
	moved := false
	if !isRow(now, held) {
		before, had, err := e.ownerKey(held)
		if err != nil {
			return nil, false, err
		}
		moved = had != ok || before != owner
	}
	if moved {
		r.goneEdge = append(r.goneEdge, goneEdge{e, held})
	}
	switch {
	case !ok:
		return nil, moved || len(was) > 0, nil
	case moved || e.pathTouched(r.touched) || r.Fill[e]:
		return r.reread(e, owner, held, was)
	case !r.depends[e]:
		return nil, false, nil
	}
	return r.members(e, owner, held, was)
}

// reread replaces the rows of an association by what the database has of them.
func (r *run) reread(e *Edge, owner mapper.Key, held reflect.Value, was []reflect.Value) ([]reflect.Value, bool, error) {
	l, known := r.lists[e][owner]
	if !known {
		r.wantList(e, owner)
		return was, false, nil
	}
	r.goneEdge = append(r.goneEdge, goneEdge{e, held})
	r.used = append(r.used, use{e: e, key: owner, rows: l.Values, pos: l.Pos})
	return l.Values, true, nil
}

// members decides row by row who belongs to the owner.
func (r *run) members(e *Edge, owner mapper.Key, held reflect.Value, was []reflect.Value) ([]reflect.Value, bool, error) {
	a, n := e.association(), e.Target
	if r.prune != nil && e.first() && r.ownersOf(e)[owner] {
		return r.reread(e, owner, held, was)
	}
	out := make([]reflect.Value, 0, len(was)+1)
	present := make(map[mapper.Key]bool, len(was))
	exchanged, reordered, left := false, false, false
	for _, row := range was {
		k, err := n.Mapper.Key(row)
		if err != nil {
			return nil, false, err
		}
		now, stays, err := r.row(n, row, k)
		if err != nil {
			return nil, false, err
		}
		if stays && !isRow(now, row) {
			if renamed, err := e.renamed(row, now); err != nil {
				return nil, false, err
			} else if renamed {
				// Other join rows mean it now, and it is followed by what they hold.
				return r.reread(e, owner, held, was)
			}
		}
		if stays {
			if stays, err = r.belongs(e, owner, now, k); err != nil {
				return nil, false, err
			}
		}
		if !stays {
			left = true
			r.gone = append(r.gone, goneRow{n, row})
			continue
		}
		_, touched := r.rows[n.Tree.Model][k]
		exchanged = exchanged || !isRow(now, row)
		reordered = reordered || touched
		present[k] = true
		out = append(out, now)
	}
	joined := false
	for _, k := range r.arrivals[e][owner] {
		if present[k] {
			continue
		}
		present[k] = true
		if row, ok := r.arrive(n, e, k); ok {
			joined = true
			out = append(out, row)
		}
	}
	switch {
	case a.Order != "" && (joined || exchanged || reordered), !a.Many && (joined || left):
		// Only the database knows the order, and which row takes the place
		// of the one that left.
		return r.reread(e, owner, held, was)
	}
	return out, joined || exchanged || left, nil
}

// belongs decides whether a row that the owner held is still one of its rows.
func (r *run) belongs(e *Edge, owner mapper.Key, row reflect.Value, k mapper.Key) (bool, error) {
	a, n := e.association(), e.Target
	fresh, known := r.rows[n.Tree.Model][k]
	if known && e.met >= 0 && !fresh.Met[e.met] {
		return false, nil
	}
	if a.Kind == model.ManyToMany {
		if len(r.links[e]) == 0 {
			return true, nil
		}
		ref, ok, err := n.Mapper.KeyOf(row, a.TargetColumns)
		if err != nil || !ok {
			return false, err
		}
		linked, known := r.links[e][link{owner, ref}]
		return linked || !known, nil
	}
	if !known {
		return true, nil
	}
	ref, ok, err := n.Mapper.KeyOf(row, a.TargetColumns)
	return ok && ref == owner, err
}

// renamed reports whether a target of many to many, of the same key, is another
// one to the join table than it was.
func (e *Edge) renamed(row, now reflect.Value) (bool, error) {
	a := e.association()
	if a.Kind != model.ManyToMany || sameColumns(a.TargetColumns, a.Target.Key) {
		return false, nil
	}
	was, had, err := e.Target.Mapper.KeyOf(row, a.TargetColumns)
	if err != nil {
		return false, err
	}
	is, has, err := e.Target.Mapper.KeyOf(now, a.TargetColumns)
	return had != has || was != is, err
}

// first reports whether several rows may be an association's one row.
func (e *Edge) first() bool {
	a := e.association()
	return a.Kind == model.HasOne || a.Kind == model.BelongsTo && !sameColumns(a.TargetColumns, a.Target.Key)
}
