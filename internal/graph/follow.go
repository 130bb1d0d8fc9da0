package graph

import (
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// follow follows the rows that came from bundles and lists. Such a row may have
// changed after it was read and before it was followed: then nobody was told,
// and it must be read once more. follow reports whether all are current.
//
// In the first round everything is checked. What is wanted again is read as of
// a position after that round, when all of it was followed, so that from then
// on only what is new must be checked.
func (r *run) follow(first bool) (bool, error) {
	current := true
	for _, u := range r.used {
		stale := false
		visit := func(it route.Item) {
			isNew, changed := r.Follow(it, u.pos)
			stale = stale || (changed && (first || isNew))
		}
		if err := u.items(visit); err != nil {
			return false, err
		}
		if stale || u.pos < r.Clock.Floor() {
			current = false
			r.forget(u)
		}
	}
	if !current {
		r.need = max(r.need, r.Clock.Now())
	}
	return current, nil
}

func (u use) items(yield func(route.Item)) error {
	switch {
	case u.n == nil:
		return u.e.itemsOf(u.key, u.rows, yield)
	case u.e != nil:
		return u.e.targetItems(u.rows[0], yield)
	}
	return u.n.Items(u.rows[0], yield)
}

// unfollowGone ends following what left the value and is nowhere else in it,
// and the rows at the root that are hidden no more.
func (r *run) unfollowGone(n *Node, root []reflect.Value, released []mapper.Key) error {
	if len(r.gone)+len(r.goneEdge)+len(released) == 0 {
		return nil
	}
	left := map[route.Item]bool{}
	add := func(it route.Item) { left[it] = true }
	for _, g := range r.gone {
		if err := g.n.Items(g.row, add); err != nil {
			return err
		}
	}
	for _, g := range r.goneEdge {
		if err := g.e.items(g.owner, add); err != nil {
			return err
		}
	}
	for _, k := range released {
		add(n.Item(k))
	}
	for _, k := range r.lost {
		if r.Hidden.Has(k) {
			delete(left, n.Item(k)) // or nobody would be told when it may be seen again
		}
	}
	for _, row := range root {
		if err := n.Items(row, func(it route.Item) { delete(left, it) }); err != nil {
			return err
		}
	}
	for it := range left {
		r.Unfollow(it)
	}
	return nil
}

func (f *facts) forget(u use) {
	if u.n == nil {
		delete(f.lists[u.e], u.key)
		return
	}
	delete(f.bundles[u.n], u.key)
}

func (f *facts) setLink(e *Edge, owner, target mapper.Key, linked bool) {
	if f.links[e] == nil {
		f.links[e] = map[link]bool{}
	}
	f.links[e][link{owner, target}] = linked
}
