package pgtrigger

import (
	"strconv"
	"strings"

	"github.com/rowsync/rowsync/capture"
)

// An UPDATE that moves a row of a partitioned table to another partition fires
// the row triggers of a DELETE there and then those of an INSERT here (see
// "Overview of Trigger Behavior" in PostgreSQL's documentation). This tells it
// from a DELETE and an INSERT by the application: the new row is there before
// either trigger runs, so the command that made it is below the one that wrote
// the entry of the DELETE; and the partitions differ.
//
// A MERGE, or a WITH, that deletes a row of one partition and next inserts one
// into another looks the same, and is told as an UPDATE of the one to the other.

// movement is the SQL of what an entry says of this beside its columns: the
// partition, and of a new row the command that made it, unless something has
// been done to the row since, such as by a trigger of the application: that
// hides the command.
func movement(r string) string {
	switch r {
	case "old":
		return "case tg_op when 'DELETE' then tg_relid::text end"
	case "new":
		return "case tg_op when 'INSERT' then concat(tg_relid, ' ', case when new.xmax::text = '0' then new.cmin::text end) end"
	}
	return "null"
}

// joinParts makes one entry of each DELETE and INSERT that are a row's move, and
// one of the TRUNCATEs of a table that one statement made for its parts. The
// entries must be in order; a transaction's stand together.
func joinParts(entries []entry) []entry {
	type place struct {
		xid uint64
		def *definition
	}
	before := map[place]int{} // the last entry of each
	gone := map[place]int{}   // the last DELETE of each that is no move yet; triggers of the application may write between the halves
	kept := entries[:0]
	for _, e := range entries {
		if !e.def.way.rows {
			kept = append(kept, e)
			continue
		}
		at := place{e.xid, e.def}
		if i, ok := before[at]; ok {
			b := &kept[i]
			if b.op == capture.Truncate && e.op == capture.Truncate {
				continue
			}
		}
		if i, ok := gone[at]; ok {
			moved, doubtful := e.movedFrom(&kept[i])
			if moved {
				kept[i].op, kept[i].now = capture.Update, e.now
				delete(gone, at)
				continue
			}
			if doubtful {
				e.was, e.now = nil, nil // that the table changed is all there is to say
			}
		}
		if e.op == capture.Delete {
			gone[at] = len(kept)
		}
		before[at] = len(kept)
		kept = append(kept, e)
	}
	for i := range kept {
		kept[i].strip()
	}
	return kept
}

// movedFrom reports whether e is where a row went that b took away, or whether
// that can't be known.
func (e *entry) movedFrom(b *entry) (moved, doubtful bool) {
	if !e.def.way.moves || b.op != capture.Delete || e.op != capture.Insert || b.was == nil || e.now == nil {
		return false, false
	}
	extra := len(e.def.columns)
	from := b.was[0][extra].Text
	to, text, _ := strings.Cut(e.now[0][extra].Text, " ")
	command, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return false, from != to
	}
	return from != to && command < uint64(b.command), false
}

// strip takes what is no column off the entry's rows.
func (e *entry) strip() {
	if !e.def.way.moves {
		return
	}
	for _, rows := range [][]capture.Row{e.was, e.now} {
		for i, row := range rows {
			rows[i] = row[:len(e.def.columns):len(e.def.columns)]
		}
	}
}
