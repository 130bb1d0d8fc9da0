package route

import (
	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
)

// chunk is how many changes are routed before those who want to follow get the
// lock: a statement of 100,000 rows must not hold them up.
const chunk = 256

// Route brings changes to their followers; the first has position first, and
// each next one the position after it. A follower who follows a change in
// several ways is told once. It is called from one goroutine at a time.
func (x *Index) Route(changes []capture.Change, first uint64) {
	for len(changes) > 0 {
		n := min(chunk, len(changes))
		x.routeSome(changes[:n], first)
		changes, first = changes[n:], first+uint64(n)
	}
}

func (x *Index) routeSome(changes []capture.Change, pos uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range changes {
		c := &changes[i]
		if t := x.tables[c.Table]; t != nil {
			t.route(c, pos)
		}
		pos++
	}
}

func (t *Table) route(c *capture.Change, pos uint64) {
	t.whole.tell(t, c, pos)
	for _, l := range t.lookups {
		was, hadOld := t.keyOf(l.places, c.Old)
		now, hasNew := t.keyOf(l.places, c.New)
		if hadOld {
			l.touch(t, was, c, pos)
		}
		if hasNew && (!hadOld || now != was) {
			l.touch(t, now, c, pos)
		}
		if len(l.nulls) > 0 && (null(l.places, c.Old) || null(l.places, c.New)) {
			l.nulls.tell(t, c, pos)
		}
	}
}

func (l *lookup) touch(t *Table, k mapper.Key, c *capture.Change, pos uint64) {
	l.recent.add(k, pos)
	l.byKey[k].tell(t, c, pos)
}

func (fs followers) tell(t *Table, c *capture.Change, pos uint64) {
	for _, e := range fs {
		if e.f.told != pos && e.ops.Has(c.Op) {
			e.f.told = pos
			e.f.Push(t, c, pos)
		}
	}
}

// Everyone calls yield for each follower of anything in the table, once; a nil
// table means every table. It serves Resets, which are rare and visit all.
func (x *Index) Everyone(t *Table, yield func(*Follower)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	seen := map[*Follower]bool{}
	visit := func(fs followers) {
		for _, e := range fs {
			if !seen[e.f] {
				seen[e.f] = true
				yield(e.f)
			}
		}
	}
	for _, each := range x.tables {
		if t != nil && each != t {
			continue
		}
		visit(each.whole)
		for _, l := range each.lookups {
			visit(l.nulls)
			for _, fs := range l.byKey {
				visit(fs)
			}
		}
	}
}
