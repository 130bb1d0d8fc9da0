package graph

import (
	"reflect"
	"slices"
	"sync"

	"github.com/rowsync/rowsync/internal/mapper"
)

// Hidden is the keys of rows that belong to the root of a value and that its
// holder may not see. They stay followed, so that they can come back. Its
// methods may be called from any goroutine, and on nil, which stays empty.
type Hidden struct {
	mu   sync.Mutex
	keys map[mapper.Key]struct{}
}

// Has reports whether the row with the key is hidden.
func (h *Hidden) Has(k mapper.Key) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.keys[k]
	return ok
}

// Add notes that rows are hidden.
func (h *Hidden) Add(keys ...mapper.Key) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys == nil {
		h.keys = map[mapper.Key]struct{}{}
	}
	for _, k := range keys {
		h.keys[k] = struct{}{}
	}
}

// Remove notes that rows are hidden no more, and returns those that were.
func (h *Hidden) Remove(keys ...mapper.Key) (were []mapper.Key) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		if _, ok := h.keys[k]; ok {
			delete(h.keys, k)
			were = append(were, k)
		}
	}
	return were
}

// Replace makes keys all that is hidden, and returns what was and is no more.
func (h *Hidden) Replace(keys []mapper.Key) (were []mapper.Key) {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.keys
	h.keys = make(map[mapper.Key]struct{}, len(keys))
	for _, k := range keys {
		h.keys[k] = struct{}{}
	}
	for k := range before {
		if _, still := h.keys[k]; !still {
			were = append(were, k)
		}
	}
	return were
}

// hideRows makes those of the rows that were read which may not be seen as
// though they did not exist.
func (r *run) hideRows(n *Node) {
	if r.prune == nil {
		return
	}
	m := n.Tree.Model
	for k, row := range r.rows[m] {
		if !row.Exists() || r.prune.sees(n, row.Value) {
			continue
		}
		row.Value, row.Met = reflect.Value{}, nil
		r.rows[m][k] = row
	}
}

// comeBack is arrive for a row at the root, which may have been hidden: it is
// until it changes so that it may be seen.
func (r *run) comeBack(n *Node, k mapper.Key) (reflect.Value, bool) {
	fresh, known := r.rows[n.Tree.Model][k]
	hidden := r.Hidden.Has(k)
	if r.Hidden != nil && (known || hidden) && !fresh.Exists() {
		return reflect.Value{}, false
	}
	row, ok := r.arrive(n, nil, k)
	if ok && hidden {
		r.back = append(r.back, k)
	}
	return row, ok
}

// settleHidden notes which rows at the root are hidden from now on, and returns
// those that are so no more.
func (r *run) settleHidden(n *Node) (released []mapper.Key) {
	switch {
	case r.Hidden == nil:
		return nil
	case r.Order != nil:
		return r.Hidden.Replace(r.missing)
	}
	released = r.Hidden.Remove(r.back...)
	for _, c := range r.changedRows(n) {
		switch {
		case r.rows[n.Tree.Model][c.key].Exists():
		case c.gone:
			released = append(released, r.Hidden.Remove(c.key)...)
		case slices.Contains(r.lost, c.key):
			r.Hidden.Add(c.key)
		}
	}
	return released
}
