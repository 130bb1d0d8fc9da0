package graph

import (
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// Items calls yield with everything to follow so as to hear of every change
// that touches a row held at the node, its associations included: the row by
// its key, and for each association what finds its rows, those that may join
// later too.
func (n *Node) Items(row reflect.Value, yield func(route.Item)) error {
	k, err := n.Mapper.Key(row)
	if err != nil {
		return err
	}
	yield(n.Item(k))
	return n.belowItems(row, yield)
}

// belowItems is Items without the row itself.
func (n *Node) belowItems(row reflect.Value, yield func(route.Item)) error {
	for _, e := range n.Edges {
		if err := e.items(row, yield); err != nil {
			return err
		}
	}
	return nil
}

// items is what to follow for one association of a row.
func (e *Edge) items(row reflect.Value, yield func(route.Item)) error {
	owner, ok, err := e.ownerKey(row)
	if err != nil || !ok {
		return err
	}
	return e.itemsOf(owner, mapper.TargetsOf(row, e.association()), yield)
}

// itemsOf is what to follow for the targets that an owner has or may come to have.
func (e *Edge) itemsOf(owner mapper.Key, targets []reflect.Value, yield func(route.Item)) error {
	a := e.association()
	switch a.Kind {
	case model.Through:
		for _, t := range e.path {
			yield(route.Item{Table: t, Lookup: route.WholeTable})
		}
	case model.ManyToMany:
		yield(route.Item{Table: e.join, Lookup: e.owner, Key: owner})
		if a.Where != "" || e.guarded {
			// Rows that are linked and do not meet the condition, or may not be
			// seen, are not held, so their keys are not known here, and any of
			// them may come to be.
			yield(route.Item{Table: e.Target.Table, Lookup: route.WholeTable})
		}
	default:
		// It finds every row that is, was or comes to be the owner's.
		yield(route.Item{Table: e.Target.Table, Lookup: e.target, Key: owner})
	}
	for _, target := range targets {
		if err := e.targetItems(target, yield); err != nil {
			return err
		}
	}
	return nil
}

// targetItems is what to follow for one target of an owner that is held: itself,
// unless what is followed for the owner finds it, and what is below it.
func (e *Edge) targetItems(target reflect.Value, yield func(route.Item)) error {
	a := e.association()
	if a.Kind == model.ManyToMany && (a.Where == "" || e.guarded) {
		k, ok, err := e.Target.Mapper.KeyOf(target, a.TargetColumns)
		if err != nil {
			return err
		}
		if ok {
			yield(route.Item{Table: e.Target.Table, Lookup: e.target, Key: k})
		}
	}
	return e.Target.belowItems(target, yield)
}

// ownerKey is what a row holds in the columns that the association starts from.
func (e *Edge) ownerKey(row reflect.Value) (mapper.Key, bool, error) {
	return e.from.KeyOf(row, e.start)
}

// Item is the row with this key.
func (n *Node) Item(k mapper.Key) route.Item {
	return route.Item{Table: n.Table, Lookup: n.key, Key: k}
}
