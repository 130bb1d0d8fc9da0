package rowsync_test

import (
	"fmt"
	"strings"
)

// statements are what a step may do to the tables. Some fail, for a row is
// there already or is still referred to: that does no harm.
var statements = []func(w *walk, s drawnStep) string{
	0:  insertRow,
	1:  insertRow,
	2:  func(w *walk, s drawnStep) string { return w.update(s, "name = "+nameOf(s.Pick)) },
	3:  func(w *walk, s drawnStep) string { return w.update(s, "num = "+numOf(s.Pick)) },
	4:  moveRow,
	5:  moveRow,
	6:  moveRow,
	7:  changeKey,
	8:  changeKey,
	9:  deleteRow,
	10: deleteRow,
	11: linkRows,
	12: linkRows,
	13: linkRows,
	14: func(w *walk, s drawnStep) string { return "delete from " + w.link(s) },
	15: repointLink,
	16: repointLink,
	17: updateMany,
	18: moveMany,
	19: deleteMany,
	20: insertMany,
	21: linkMany,
	22: func(w *walk, s drawnStep) string { return w.update(s, "name = name, weight = "+numOf(s.Pick)) },
	23: upsert,
	24: func(w *walk, s drawnStep) string { return w.update(s, "weight = "+numOf(s.Pick)) },
	25: func(w *walk, s drawnStep) string { return w.update(s, "num = weight, weight = num") },
}

// walk is what a writer sees before it writes: the rows that are there, by which
// a step finds something to do.
type walk struct {
	forest *forest
	rows   [4][]*Traits
}

func (w *walk) table(s drawnStep) string { return forestTables[s.Table] }

// pick returns one of the rows of a table; nil if it has none.
func (w *walk) pick(table, pick int) *Traits {
	if len(w.rows[table]) == 0 {
		return nil
	}
	return w.rows[table][pick%len(w.rows[table])]
}

// row is the condition that chooses the step's row.
func (w *walk) row(s drawnStep) string {
	if r := w.pick(s.Table, s.Row); r != nil {
		return fmt.Sprintf(" where ki = %d", r.KI)
	}
	return " where false"
}

func (w *walk) update(s drawnStep, set string) string {
	return "update " + w.table(s) + " set " + set + w.row(s)
}

// fresh is the number of a row that is not in a table, most of the time.
func (w *walk) fresh(table, pick int) int {
	for i := range most {
		n := 1 + (pick+i)%most
		taken := false
		for _, r := range w.rows[table] {
			taken = taken || r.KI == int64(n) || r.KT == textKeyOf(n)
		}
		if !taken {
			return n
		}
	}
	return 1 + pick%most
}

// to makes a reference to one of the rows that are there, to the first of them
// more often, so that it has many; to none; or, where no constraint forbids it,
// to one that is not there.
func (w *walk) to(r reference, pick int) []string {
	row := w.pick(r.to, [...]int{0, 0, 0, 1, 1, 2, 3, 4}[pick/6%8])
	switch {
	case pick%6 == 0 || row == nil:
		return literals(r.columns(), 0)
	case pick%6 == 1 && r.constraint == "":
		return literals(r.columns(), 1+pick/6%most)
	}
	values := literalsOf(r.by.columns(""), row)
	if pick%6 == 2 {
		values[len(values)-1] = "null" // of two columns, only one
	}
	return values
}

func (w *walk) reference(s drawnStep, side int) reference {
	return w.forest.references[s.Table][side%2]
}

func (w *walk) join(s drawnStep) joinTable { return w.forest.joins[s.Join%len(w.forest.joins)] }

// link chooses one row of a join table.
func (w *walk) link(s drawnStep) string {
	j := w.join(s)
	return fmt.Sprintf("%[1]s where ctid = (select ctid from %[1]s order by %[2]s limit 1 offset %[3]d)",
		j.name, strings.Join(j.columns(), ", "), s.Row%4)
}

func insertRow(w *walk, s drawnStep) string {
	a, b := w.reference(s, 0), w.reference(s, 1)
	return w.forest.insert(s.Table, w.fresh(s.Table, s.Row), [2][]string{w.to(a, s.Other), w.to(b, s.Pick/8)}, s.Pick)
}

func upsert(w *walk, s drawnStep) string {
	return insertRow(w, s) + " on conflict (ki) do update set name = excluded.name, num = excluded.num"
}

func deleteRow(w *walk, s drawnStep) string { return "delete from " + w.table(s) + w.row(s) }

func moveRow(w *walk, s drawnStep) string {
	r := w.reference(s, s.Pick)
	return w.update(s, set(r.columns(), w.to(r, s.Other), ", "))
}

// changeKey changes one of the keys of a row, or several.
func changeKey(w *walk, s drawnStep) string {
	columns := [][]string{{"ki"}, {"kt"}, {"ku"}, {"ki", "kt"}, {"ki", "kt", "ku"}}[s.Pick%5]
	return w.update(s, set(columns, literals(columns, w.fresh(s.Table, s.Other)), ", "))
}

func linkRows(w *walk, s drawnStep) string {
	j := w.join(s)
	left, right := w.pick(j.ends[0], s.Row), w.pick(j.ends[1], s.Other)
	if left == nil || right == nil {
		return "select"
	}
	return j.link(left, right)
}

// repointLink lets a join row lead to another row, at either side.
func repointLink(w *walk, s drawnStep) string {
	j, side := w.join(s), s.Pick%2
	to := w.pick(j.ends[side], s.Other)
	if to == nil {
		return "select"
	}
	return "update " + strings.Replace(w.link(s), " where ",
		" set "+set(j.by[side].columns(joinPrefixes[side]), literalsOf(j.by[side].columns(""), to), ", ")+" where ", 1)
}

func updateMany(w *walk, s drawnStep) string {
	return fmt.Sprintf("update %s set num = %s, name = name || 'b' where num is not distinct from %s", w.table(s), numOf(s.Pick), numOf(s.Other))
}

func moveMany(w *walk, s drawnStep) string {
	r := w.reference(s, s.Pick)
	return fmt.Sprintf("update %s set %s where num is not distinct from %s", w.table(s), set(r.columns(), w.to(r, s.Other), ", "), numOf(s.Pick/2))
}

func deleteMany(w *walk, s drawnStep) string {
	return fmt.Sprintf("delete from %s where num is not distinct from %s and name > 'a'", w.table(s), numOf(s.Pick))
}

// insertMany adds all rows that are not there.
func insertMany(w *walk, s drawnStep) string {
	var values []string
	for n := 1; n <= most; n++ {
		values = append(values, fmt.Sprintf("(%s, %s)", strings.Join(literals(allKeys, n), ", "), nameOf(s.Pick+n)))
	}
	return fmt.Sprintf("insert into %s (ki, kt, ku, name) values %s on conflict do nothing", w.table(s), strings.Join(values, ", "))
}

// linkMany links one row with all.
func linkMany(w *walk, s drawnStep) string {
	j := w.join(s)
	left := w.pick(j.ends[0], s.Row)
	if left == nil {
		return "select"
	}
	return fmt.Sprintf("%s select %s, %s from %s on conflict do nothing", j.insert(),
		strings.Join(literalsOf(j.by[0].columns(""), left), ", "), strings.Join(j.by[1].columns(""), ", "), forestTables[j.ends[1]])
}
