// Package route knows who follows what, and brings each change to those who
// follow a row that it touches.
package route

import (
	"slices"
	"sync"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
)

// Follower is one who is told of changes. Embed it, or keep one, per subscriber.
type Follower struct {
	// Push is called with each change that concerns the follower, once, with
	// the Index locked: it must be quick and must not call the Index.
	Push func(t *Table, c *capture.Change, pos uint64)
	// Owner is whose follower it is, for those who list followers.
	Owner any

	told uint64 // position of the last change pushed; guarded by Index.mu
}

// Item is something to follow: a whole table, or the rows of a table that hold
// Key in the columns of one of its lookups, before or after a change.
type Item struct {
	Table *Table
	// Lookup numbers the table's lookups; WholeTable follows every row.
	Lookup int
	Key    mapper.Key
	// Null is set in place of Key for the rows with a null in one of the
	// lookup's columns.
	Null bool
}

// Matches reports whether a captured row of the table is among what the item
// follows; a nil row is not.
func (it Item) Matches(row capture.Row) bool {
	switch {
	case row == nil:
		return false
	case it.Lookup == WholeTable:
		return true
	case it.Null:
		return null(it.Table.lookups[it.Lookup].places, row)
	}
	k, ok := it.Table.KeyOf(it.Lookup, row)
	return ok && k == it.Key
}

// WholeTable as Item.Lookup follows every row of the table.
const WholeTable = -1

// Table is one captured table in an Index.
type Table struct {
	Capture *capture.Table

	whole   followers
	lookups []*lookup
	canon   []func(string) string // by place in capture.Row; nil: canonical already
}

type lookup struct {
	places []int // in capture.Row
	byKey  map[mapper.Key]followers
	nulls  followers
	recent *recent
}

// followers holds, for each follower, the operations it wants to hear of.
type followers []struct {
	f   *Follower
	ops capture.Op
}

// Index knows who follows what. Its methods may be called from any goroutine.
type Index struct {
	mu     sync.Mutex
	tables map[*capture.Table]*Table
}

// NewIndex returns an empty Index.
func NewIndex() *Index { return &Index{tables: map[*capture.Table]*Table{}} }

// Add enters a table. canon holds, for each value of its rows, the function
// that makes the value's text canonical, or nil. Lookup 0 is the table's key.
// All tables and lookups are added before the first change is routed.
func (x *Index) Add(t *capture.Table, canon []func(string) string) *Table {
	x.mu.Lock()
	defer x.mu.Unlock()
	rt := &Table{Capture: t, canon: canon}
	key := make([]int, len(t.Key))
	for i := range key {
		key[i] = i
	}
	rt.lookups = []*lookup{newLookup(key)}
	x.tables[t] = rt
	return rt
}

func newLookup(places []int) *lookup {
	return &lookup{places: places, byKey: map[mapper.Key]followers{}, recent: newRecent(0)}
}

// AddLookup makes rows of the table findable by further columns, and returns
// the number of the lookup. Columns that are not captured give false.
func (x *Index) AddLookup(t *Table, columns []string) (int, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	places, ok := t.places(columns)
	if !ok {
		return 0, false
	}
	if n := t.find(places); n >= 0 {
		return n, true
	}
	t.lookups = append(t.lookups, newLookup(places))
	return len(t.lookups) - 1, true
}

// Lookup returns the number of the lookup by columns, or false if there is none.
func (x *Index) Lookup(t *Table, columns []string) (int, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	places, ok := t.places(columns)
	if !ok {
		return 0, false
	}
	n := t.find(places)
	return n, n >= 0
}

func (t *Table) find(places []int) int {
	return slices.IndexFunc(t.lookups, func(l *lookup) bool { return slices.Equal(l.places, places) })
}

func (t *Table) places(columns []string) ([]int, bool) {
	places := make([]int, len(columns))
	for i, name := range columns {
		if p := slices.Index(t.Capture.Key, name); p >= 0 {
			places[i] = p
		} else if p := slices.Index(t.Capture.Columns, name); p >= 0 {
			places[i] = len(t.Capture.Key) + p
		} else {
			return nil, false
		}
	}
	return places, true
}

// KeyOf returns the values of a lookup's columns in a captured row, or false if
// the row is nil or one of them is null.
func (t *Table) KeyOf(lookup int, row capture.Row) (mapper.Key, bool) {
	return t.keyOf(t.lookups[lookup].places, row)
}

// Items calls yield with each item that follows rows by a key and follows this one.
func (t *Table) Items(row capture.Row, yield func(Item)) {
	for n := range t.lookups {
		if k, ok := t.KeyOf(n, row); ok {
			yield(Item{Table: t, Lookup: n, Key: k})
		}
	}
}

// KeyIn returns the values of columns in a captured row, or false if the row is
// nil, lacks a column, or one of them is null.
func (t *Table) KeyIn(columns []string, row capture.Row) (mapper.Key, bool) {
	places, ok := t.places(columns)
	if !ok {
		return "", false
	}
	return t.keyOf(places, row)
}

// null reports whether the row exists and holds a null in one of the places.
func null(places []int, row capture.Row) bool {
	return row != nil && slices.ContainsFunc(places, func(p int) bool { return row[p].Null })
}

func (t *Table) keyOf(places []int, row capture.Row) (mapper.Key, bool) {
	if row == nil {
		return "", false
	}
	if len(places) == 1 {
		text, ok := t.text(row, places[0])
		return mapper.Key(text), ok
	}
	texts := make([]string, len(places))
	for i, p := range places {
		text, ok := t.text(row, p)
		if !ok {
			return "", false
		}
		texts[i] = text
	}
	return mapper.Join(texts...), true
}

func (t *Table) text(row capture.Row, place int) (string, bool) {
	v := row[place]
	if v.Null {
		return "", false
	}
	if c := t.canon[place]; c != nil {
		return c(v.Text), true
	}
	return v.Text, true
}

// Table returns the Index's entry of a captured table.
func (x *Index) Table(t *capture.Table) *Table {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tables[t]
}

// Follow tells f of changes to the item from now on. It reports whether the
// item may have changed after position since: what was read at that position
// must then be read again.
func (x *Index) Follow(f *Follower, it Item, ops capture.Op, since uint64) (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if it.Lookup == WholeTable {
		it.Table.whole = it.Table.whole.with(f, ops)
		return slices.ContainsFunc(it.Table.lookups, func(l *lookup) bool { return l.recent.newest() > since })
	}
	l := it.Table.lookups[it.Lookup]
	if it.Null {
		l.nulls = l.nulls.with(f, ops)
		return l.recent.newest() > since
	}
	l.byKey[it.Key] = l.byKey[it.Key].with(f, ops)
	return l.recent.changedSince(it.Key, since)
}

// Unfollow ends what Follow began, as far as the operations go. What was pushed
// before stays pushed.
func (x *Index) Unfollow(f *Follower, it Item, ops capture.Op) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if it.Lookup == WholeTable {
		it.Table.whole = it.Table.whole.without(f, ops)
		return
	}
	l := it.Table.lookups[it.Lookup]
	if it.Null {
		l.nulls = l.nulls.without(f, ops)
		return
	}
	if rest := l.byKey[it.Key].without(f, ops); len(rest) > 0 {
		l.byKey[it.Key] = rest
	} else {
		delete(l.byKey, it.Key)
	}
}

func (fs followers) with(f *Follower, ops capture.Op) followers {
	for i := range fs {
		if fs[i].f == f {
			fs[i].ops |= ops
			return fs
		}
	}
	return append(fs, struct {
		f   *Follower
		ops capture.Op
	}{f, ops})
}

func (fs followers) without(f *Follower, ops capture.Op) followers {
	for i := range fs {
		if fs[i].f == f {
			if fs[i].ops &^= ops; fs[i].ops != 0 {
				return fs
			}
			last := len(fs) - 1
			fs[i] = fs[last]
			fs[last].f = nil
			return fs[:last]
		}
	}
	return fs
}

// Place returns the place of a column of the table's Key or Columns in its
// rows, or false.
func (t *Table) Place(column string) (int, bool) {
	places, ok := t.places([]string{column})
	if !ok {
		return 0, false
	}
	return places[0], true
}

// Same reports whether a place holds equal values in two rows of the table,
// equal as PostgreSQL sees numbers and keys.
func (t *Table) Same(place int, x, y capture.Row) bool {
	if x[place] == y[place] {
		return true
	}
	if x[place].Null || y[place].Null || place >= len(t.canon) {
		return false
	}
	was, _ := t.text(x, place)
	now, _ := t.text(y, place)
	return was == now
}

// LookupColumns returns the names of a lookup's columns.
func (t *Table) LookupColumns(lookup int) []string {
	names := slices.Concat(t.Capture.Key, t.Capture.Columns)
	l := t.lookups[lookup]
	out := make([]string, len(l.places))
	for i, p := range l.places {
		out[i] = names[p]
	}
	return out
}
