package rowsync_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rowsync/rowsync"
)

// audited is one line of the audit log.
type audited struct {
	seq, xid int64
	step     int
	verb     string
	table    string
	op       rowsync.Op
	was, now map[string]*string
	changed  []string
}

// aimed is a target as the judge understands it.
type aimed struct {
	target rowsync.Target
	watch  *oracleWatch // that is meant; the first of those without a label
	own    rowsync.Op   // what the target names
	ops    rowsync.Op   // what is followed by now
	item   string
	match  func(row map[string]*string) bool
}

// randomTarget aims at one of the watchers.
func randomTarget(rng *rand.Rand, ws []*oracleWatch) aimed {
	w := pick(rng, ws)
	a := aimed{watch: w, ops: w.on(), target: rowsync.Label(w.Label), item: "all", match: func(map[string]*string) bool { return true }}
	if w.Label == "" {
		a.ops &= rowsync.Op(1 + rng.IntN(7))
		if a.ops == 0 {
			a.ops = w.on()
		}
		a.target = rowsync.On[watchedRow](a.ops)
	} else if only := a.ops & rowsync.Op(1+rng.IntN(7)); only != 0 && rng.IntN(3) == 0 {
		a.ops, a.target = only, a.target.Only(only)
	}
	switch how := rng.IntN(4); {
	case how == 0 && a.ops != rowsync.Inserted:
		a.byKey(rng)
	case how > 1 && slices.ContainsFunc(w.ExtraColumns, func(c string) bool { return strings.EqualFold(c, "parent") }):
		a.byParent(rng)
	}
	return a
}

func (a *aimed) byKey(rng *rand.Rand) {
	var values []any
	for _, c := range a.watch.table.key {
		values = append(values, pick(rng, oracleValues[a.watch.table.types[c]]))
	}
	a.target, a.item = a.target.Key(values...), fmt.Sprintf("key %q", values)
	a.match = func(row map[string]*string) bool {
		for i, c := range a.watch.table.key {
			if *row[c] != values[i] {
				return false
			}
		}
		return true
	}
}

func (a *aimed) byParent(rng *rand.Rand) {
	if rng.IntN(3) == 0 {
		a.target, a.item = a.target.Where("parent", nil), "no parent"
		a.match = func(row map[string]*string) bool { return row["parent"] == nil }
		return
	}
	value := pick(rng, oracleValues[a.watch.table.types["parent"]])
	a.target, a.item = a.target.Where("parent", value), fmt.Sprintf("parent %q", value)
	a.match = func(row map[string]*string) bool { return row["parent"] != nil && *row["parent"] == value }
}

// following is what a Subscriber follows: for each watcher's label, the items
// with their operations.
type following map[string]map[string]aimed

func (f following) add(a aimed) {
	items := f[a.watch.Label]
	if items == nil {
		items = map[string]aimed{}
		f[a.watch.Label] = items
	}
	a.own, a.ops = a.ops, a.ops|items[a.item].ops
	items[a.item] = a
}

func (f following) remove(a aimed) {
	items := f[a.watch.Label]
	had := items[a.item]
	if had.ops &^= a.own; had.ops == 0 {
		delete(items, a.item)
	} else {
		items[a.item] = had
	}
}

// tells reports whether something that is followed under a label means a change.
func (f following) tells(label string, c *audited) bool {
	for _, a := range f[label] {
		if a.watch.table.name != c.table || !a.ops.Has(c.op) {
			continue
		}
		if columns := a.watch.TriggerColumns; len(columns) > 0 && !slices.ContainsFunc(columns, func(t string) bool { return slices.Contains(c.changed, t) }) {
			continue
		}
		if c.was != nil && a.match(c.was) || c.now != nil && a.match(c.now) {
			return true
		}
	}
	return false
}

// hears reports whether anything of a table is followed.
func (f following) hears(table string) bool {
	for _, items := range f {
		for _, a := range items {
			if a.watch.table.name == table {
				return true
			}
		}
	}
	return false
}

// message is what is told of one change, or a Reset of a table.
type message struct {
	text   string
	thread []string // the rows it is about: label, table and key, old and new
	table  string
	reset  bool
	change *audited // of what was expected
	seq    uint64   // position of what was told
	xid    int64
}

// columnsOf are those that travel with the changes that a label tells.
func columnsOf(ws []*oracleWatch, label, table string, op rowsync.Op) (columns []string) {
	for _, w := range ws {
		if w.Label == label && w.table.name == table && w.on().Has(op) {
			for _, c := range slices.Concat(w.table.key, w.ExtraColumns) {
				columns = append(columns, strings.Replace(c, "Parent", "parent", 1))
			}
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// expected returns what must be told of the changes of the log, in its order.
func (f following) expected(ws []*oracleWatch, log []*audited) (out []message) {
	labels := []string{}
	for label := range f {
		labels = append(labels, label)
	}
	for _, c := range log {
		if c.op == rowsync.Truncated {
			if f.hears(c.table) {
				out = append(out, message{text: "reset " + c.table, table: c.table, reset: true})
			}
			continue
		}
		for _, label := range labels {
			if !f.tells(label, c) {
				continue
			}
			m := message{table: c.table, change: c, xid: c.xid}
			texts := make([]string, 2)
			for i, row := range []map[string]*string{c.was, c.now} {
				if row == nil {
					continue
				}
				for _, column := range columnsOf(ws, label, c.table, c.op) {
					v := rowsync.Value{Null: row[column] == nil}
					if row[column] != nil {
						v.Text = *row[column]
					}
					texts[i] += column + "=" + v.String() + " "
				}
				m.addThread(label, c.table, keyOf(tableOf(ws, c.table), row))
			}
			m.text = fmt.Sprintf("%d %q %s %s %s→ %s", c.xid, label, c.table, c.op, texts[0], texts[1])
			out = append(out, m)
		}
	}
	return out
}

func tableOf(ws []*oracleWatch, name string) *oracleTable {
	return ws[slices.IndexFunc(ws, func(w *oracleWatch) bool { return w.table.name == name })].table
}

func keyOf(t *oracleTable, row map[string]*string) (key []string) {
	for _, c := range t.key {
		key = append(key, *row[c])
	}
	return key
}

func (m *message) addThread(label, table string, key []string) {
	thread := fmt.Sprintf("%q %s %q", label, table, key)
	if !slices.Contains(m.thread, thread) {
		m.thread = append(m.thread, thread)
	}
}

// heard makes a message of an event.
func heard(ev rowsync.Event) message {
	if ev.Reset != nil {
		return message{text: "reset " + ev.Reset.Table.Name, table: ev.Reset.Table.Name, reset: true}
	}
	m := message{table: ev.Table.Name, seq: ev.Position.Seq, xid: int64(ev.TxID)}
	texts := make([]string, 2)
	for i, row := range []map[string]rowsync.Value{ev.OldValues(), ev.Values()} {
		if ev.Op == rowsync.Deleted && i == 1 {
			continue
		}
		if row != nil {
			texts[i] = values(row) + " "
		}
	}
	for _, key := range [][]rowsync.Value{ev.OldKey(), ev.Key()} {
		var parts []string
		for _, v := range key {
			parts = append(parts, v.Text)
		}
		if key != nil {
			m.addThread(ev.Label, ev.Table.Name, parts)
		}
	}
	m.text = fmt.Sprintf("%d %q %s %s %s→ %s", ev.TxID, ev.Label, ev.Table.Name, ev.Op, texts[0], texts[1])
	return m
}

// verdict compares what was told with what had to be. told is in pieces: between
// them is a Reset of everything, in place of what it swallowed.
func verdict(told [][]message, want []message) error {
	threads := map[string]bool{}
	for _, m := range slices.Concat(append(told, want)...) {
		for _, t := range m.thread {
			threads[t] = true
		}
	}
	matched := map[uint64]*audited{} // by position, as far as it is certain
	for thread := range threads {
		expected := threadOf(want, thread)
		from := 0
		for i, piece := range told {
			got := threadOf(piece, thread)
			at := find(expected[from:], got, i == 0, i == len(told)-1)
			if at < 0 {
				return fmt.Errorf("%s: piece %d of %d was told\n\t%s\nand of these, the first %d gone, it had to be told\n\t%s",
					thread, i+1, len(told), texts(got), from, texts(expected))
			}
			for j, m := range got {
				if m.reset || i > 0 && i < len(told)-1 { // a middle piece may fit in several places
					continue
				}
				change := expected[from+at+j].change
				if known, ok := matched[m.seq]; ok && known != change {
					return fmt.Errorf("position %d stands for two changes", m.seq)
				}
				matched[m.seq] = change
			}
			from += at + len(got)
		}
	}
	return inOrder(slices.Concat(told...), matched)
}

// threadOf returns what is about one row: its messages, and the Resets of its table.
func threadOf(messages []message, thread string) (out []message) {
	for _, m := range messages {
		if slices.Contains(m.thread, thread) || m.reset && strings.Contains(thread, `" `+m.table+" ") {
			out = append(out, m)
		}
	}
	return out
}

// find returns where got stands in want: at its start, at its end, or anywhere.
func find(want, got []message, start, end bool) int {
	for at := 0; at+len(got) <= len(want); at++ {
		if end && at+len(got) < len(want) {
			continue
		}
		if slices.EqualFunc(want[at:at+len(got)], got, func(a, b message) bool { return a.text == b.text }) {
			return at
		}
		if start {
			break
		}
	}
	return -1
}

func texts(messages []message) string {
	var out []string
	for _, m := range messages {
		out = append(out, m.text)
	}
	return strings.Join(out, "\n\t")
}

// inOrder checks what holds across rows: positions never go back, the changes of
// a transaction are next to each other, in the order of its statements.
func inOrder(told []message, matched map[uint64]*audited) error {
	over := map[int64]bool{}
	var last message
	for _, m := range told {
		if m.reset {
			continue
		}
		now, before := matched[m.seq], matched[last.seq]
		switch {
		case m.seq < last.seq:
			return fmt.Errorf("%s\ncame after\n%s\nand has an earlier position", m.text, last.text)
		case m.xid != last.xid && over[m.xid]:
			return fmt.Errorf("%s\ncame apart from the rest of its transaction, after\n%s", m.text, last.text)
		case m.xid == last.xid && now != nil && before != nil && now.step < before.step:
			return fmt.Errorf("%s\ncame after\n%s\nof a later statement of its transaction", m.text, last.text)
		}
		over[m.xid], last = true, m
	}
	return nil
}
