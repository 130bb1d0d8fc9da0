package pgtrigger

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// order sorts entries into the order of delivery: transactions by the clock of
// their last entry, those in first before all others, and the entries of a
// transaction in the order in which they were written.
//
// Of two transactions that changed the same row, the later waited for the
// earlier to commit before its statement went on, and wrote its entry after
// that: so its last entry is the later one, and the order is that of the commits.
func order(entries []entry, first map[uint64]bool) {
	last := make(map[uint64]int64, len(entries))
	for _, e := range entries {
		last[e.xid] = max(last[e.xid], e.at)
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		if a.xid == b.xid {
			return cmp.Compare(a.command, b.command)
		}
		if first[a.xid] != first[b.xid] {
			if first[a.xid] {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(last[a.xid], last[b.xid]), cmp.Compare(a.xid, b.xid))
	})
}

// unknown reports whether the entry says only that its table changed.
func (e *entry) unknown() bool {
	return e.op != capture.Truncate && e.was == nil && e.now == nil
}

// appendChanges appends what the entry's statement did, row by row.
func (e *entry) appendChanges(changes []capture.Change) []capture.Change {
	if !e.def.table.Captures(e.op) {
		return changes // half of a move, or what only was captured to know of moves
	}
	c := capture.Change{Op: e.op, Table: e.def.table, TxID: e.xid, At: time.UnixMicro(e.at).UTC(), Origin: e.origin}
	switch {
	case e.op == capture.Truncate:
		return append(changes, c)
	case e.op == capture.Update && e.was == nil:
		// Nothing that is tracked changed; was is left out of such entries.
		for _, row := range e.now {
			c.Old, c.New = row, row
			changes = append(changes, c)
		}
		return changes
	case e.op == capture.Update:
		pair(e.was, e.now, e.def.keys())
	}
	for i := range max(len(e.was), len(e.now)) {
		c.Old, c.New = nil, nil
		if i < len(e.was) {
			c.Old = e.was[i]
		}
		if i < len(e.now) {
			c.New = e.now[i]
		}
		changes = append(changes, c)
	}
	return changes
}

// pair brings now into the order of was: rows with the same key stand at the
// same place, and those that changed their key fill the places that are left,
// in order. PostgreSQL gives both in the same order, which is all there is to
// go by for a row that changed its key, but does not promise it.
func pair(was, now []capture.Row, keys int) {
	var apart []int // places where the keys differ
	for i := range min(len(was), len(now)) {
		if !slices.Equal(was[i][:keys], now[i][:keys]) {
			apart = append(apart, i)
		}
	}
	if len(apart) == 0 {
		return
	}
	byKey := make(map[string][]capture.Row, len(apart))
	for _, i := range apart {
		key := keyText(now[i][:keys])
		byKey[key] = append(byKey[key], now[i])
	}
	paired := make(map[int]capture.Row, len(apart))
	for _, i := range apart {
		key := keyText(was[i][:keys])
		if rows := byKey[key]; len(rows) > 0 {
			paired[i], byKey[key] = rows[0], rows[1:]
		}
	}
	var left []capture.Row
	for _, i := range apart {
		key := keyText(now[i][:keys])
		// The rows of a key leave from the front, so what remains is its tail.
		if rows := byKey[key]; len(rows) > 0 {
			left, byKey[key] = append(left, rows[0]), rows[1:]
		}
	}
	for _, i := range apart {
		if row, ok := paired[i]; ok {
			now[i] = row
			continue
		}
		now[i], left = left[0], left[1:]
	}
}

// keyText is a text that is the same for equal keys only.
func keyText(key capture.Row) string {
	var text strings.Builder
	for _, v := range key {
		if v.Null {
			text.WriteString("-")
			continue
		}
		text.WriteByte('+')
		// No value contains a zero byte: PostgreSQL's text can't.
		text.WriteString(v.Text)
		text.WriteByte(0)
	}
	return text.String()
}
