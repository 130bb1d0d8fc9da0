package route

import "github.com/rowsync/rowsync/capture"

// Followers returns who follows all of the operations of an item: by the item
// itself, or with the whole of its table if whole is set.
func (x *Index) Followers(it Item, ops capture.Op, whole bool) []*Follower {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []*Follower
	add := func(fs followers) {
		for _, e := range fs {
			if e.ops.Has(ops) {
				out = append(out, e.f)
			}
		}
	}
	if whole || it.Lookup == WholeTable {
		add(it.Table.whole)
	}
	switch {
	case it.Lookup == WholeTable:
	case it.Null:
		add(it.Table.lookups[it.Lookup].nulls)
	default:
		add(it.Table.lookups[it.Lookup].byKey[it.Key])
	}
	return out
}

// Lookups returns how many lookups the table has, that of its key included.
func (x *Index) Lookups(t *Table) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(t.lookups)
}
