package graph

import (
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// facts is what a run knows of the database as it is now.
type facts struct {
	changes []Change
	touched map[*route.Table]bool
	depends map[*Edge]bool
	// owners is, by edge, what ownersOf found.
	owners map[*Edge]map[mapper.Key]bool
	// keys is which rows of each model may have changed.
	keys map[*model.Model][]changed
	// need is the position as of which everything must have been read.
	need uint64

	rows    map[*model.Model]map[mapper.Key]load.Row
	links   map[*Edge]map[link]bool // many to many: what join rows say
	bundles map[*Node]map[mapper.Key]load.Bundle
	lists   map[*Edge]map[mapper.Key]load.List
	// arrivals is, by owner, the keys of rows that belong to it.
	arrivals map[*Edge]map[mapper.Key][]mapper.Key

	wantedBundles map[*Node][]mapper.Key
	wantedLists   map[*Edge][]mapper.Key
	// used is what the last walk took from bundles and lists.
	used []use
}

// changed is a row that may have changed. appeared says that more than its
// columns may have: it may be new, or had another key. gone says that the
// changes leave no row with the key.
type changed struct {
	key            mapper.Key
	appeared, gone bool
}

type link struct{ owner, target mapper.Key }

// use is rows that came from a list of e, or a row that came from a bundle of n:
// as a target of e, or at the root if e is nil.
type use struct {
	n    *Node
	e    *Edge
	key  mapper.Key
	rows []reflect.Value
	pos  uint64
}

func newFacts(n *Node, need uint64, changes []Change) *facts {
	f := &facts{
		need:     need,
		changes:  changes,
		touched:  map[*route.Table]bool{},
		depends:  map[*Edge]bool{},
		owners:   map[*Edge]map[mapper.Key]bool{},
		keys:     map[*model.Model][]changed{},
		rows:     map[*model.Model]map[mapper.Key]load.Row{},
		links:    map[*Edge]map[link]bool{},
		bundles:  map[*Node]map[mapper.Key]load.Bundle{},
		lists:    map[*Edge]map[mapper.Key]load.List{},
		arrivals: map[*Edge]map[mapper.Key][]mapper.Key{},
	}
	for _, c := range changes {
		f.touched[c.Table] = true
		f.need = max(f.need, c.Pos)
	}
	f.findDependent(n)
	return f
}

// changedRows returns the rows of the node's model that may have changed.
func (f *facts) changedRows(n *Node) []changed {
	if known, ok := f.keys[n.Tree.Model]; ok {
		return known
	}
	var out []changed
	place := map[mapper.Key]int{}
	for _, c := range f.changes {
		if c.Table != n.Table {
			continue
		}
		keys := keysOf(n, c.Rows)
		for _, k := range keys {
			i, seen := place[k]
			if !seen {
				i = len(out)
				place[k] = i
				out = append(out, changed{key: k})
			}
			out[i].appeared = out[i].appeared || c.Appeared || len(keys) > 1
			last, ok := n.Table.KeyOf(n.key, c.New)
			out[i].gone = !ok || last != k
		}
	}
	f.keys[n.Tree.Model] = out
	return out
}

// appeared reports whether the changes say of a row that it may be another one
// than before with its key.
func (f *facts) appeared(n *Node, k mapper.Key) bool {
	return slices.ContainsFunc(f.changedRows(n), func(c changed) bool { return c.key == k && c.appeared })
}

// keysOf returns the keys that a row has had, each once.
func keysOf(n *Node, rows []capture.Row) []mapper.Key {
	var keys []mapper.Key
	for _, row := range rows {
		if k, ok := n.Table.KeyOf(n.key, row); ok && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// ownersOf returns, for an edge to one row, the owners that changes of its
// target's table are about. Which row comes first may differ for them by a
// change of a row that is not held because it may not be seen.
func (f *facts) ownersOf(e *Edge) map[mapper.Key]bool {
	if known, ok := f.owners[e]; ok {
		return known
	}
	owners := map[mapper.Key]bool{}
	for _, c := range f.changes {
		if c.Table != e.Target.Table {
			continue
		}
		for _, row := range c.Rows {
			if k, ok := e.Target.Table.KeyOf(e.target, row); ok {
				owners[k] = true
			}
		}
	}
	f.owners[e] = owners
	return owners
}

func (f *facts) findDependent(n *Node) {
	for _, e := range n.Edges {
		if e.dependsOn(f.touched) {
			f.depends[e] = true
			f.findDependent(e.Target)
		}
	}
}

func (f *facts) arrival(e *Edge, owner, target mapper.Key) {
	if f.arrivals[e] == nil {
		f.arrivals[e] = map[mapper.Key][]mapper.Key{}
	}
	if !slices.Contains(f.arrivals[e][owner], target) {
		f.arrivals[e][owner] = append(f.arrivals[e][owner], target)
	}
}

func (f *facts) wantBundle(n *Node, k mapper.Key) {
	if f.wantedBundles == nil {
		f.wantedBundles = map[*Node][]mapper.Key{}
	}
	f.wantedBundles[n] = append(f.wantedBundles[n], k)
}

func (f *facts) wantList(e *Edge, owner mapper.Key) {
	if f.wantedLists == nil {
		f.wantedLists = map[*Edge][]mapper.Key{}
	}
	f.wantedLists[e] = append(f.wantedLists[e], owner)
}

// lacks reports whether the last walk lacked a fact.
func (f *facts) lacks() bool { return len(f.wantedBundles)+len(f.wantedLists) > 0 }

func (f *facts) bundle(n *Node, k mapper.Key, b load.Bundle) {
	if f.bundles[n] == nil {
		f.bundles[n] = map[mapper.Key]load.Bundle{}
	}
	f.bundles[n][k] = b
}
