package rowsync_test

import (
	"fmt"
	"slices"
	"strings"
)

// sql creates the tables, with rows in each that refer to others. Their column
// weight is none of the models': only conditions and orders know it.
func (f *forest) sql(population, linkage int) string {
	var b strings.Builder
	b.WriteString("create table forest_marks (id bigint primary key);\n")
	for i, table := range forestTables[:f.types] {
		fmt.Fprintf(&b, `create table %s (ki bigint not null unique, kt text not null unique, ku uuid not null unique,
	name text not null, num bigint, a_ki bigint, a_kt text, a_ku uuid, b_ki bigint, b_kt text, b_ku uuid, weight bigint, %s`,
			table, keyClause(f.keys[i]))
		for _, r := range f.references[i] {
			if r.unique {
				fmt.Fprintf(&b, ", unique (%s)", strings.Join(r.columns(), ", "))
			}
		}
		b.WriteString(");\n")
	}
	for _, sides := range f.references[:f.types] {
		for _, r := range sides {
			if r.constraint != "" {
				fmt.Fprintf(&b, "alter table %s add %s;\n", forestTables[r.from], foreignKey(r.columns(), r.to, r.by, r.constraint))
			}
		}
	}
	for _, j := range f.joins {
		b.WriteString(j.sql())
	}
	f.populate(&b, population, linkage)
	return b.String()
}

// populate inserts rows and lets them refer to others.
func (f *forest) populate(b *strings.Builder, population, linkage int) {
	for i := range f.types {
		for n := 1; n <= population; n++ {
			none := [2][]string{literals(f.references[i][0].columns(), 0), literals(f.references[i][1].columns(), 0)}
			fmt.Fprintf(b, "%s;\n", f.insert(i, n, none, n*(i+1)))
		}
	}
	for n := 1; n <= population; n++ {
		for i, table := range forestTables[:f.types] {
			for side, r := range f.references[i] {
				to := (n*linkage/2 + i + side) % (population + 1)
				if r.unique {
					to = 1 + (n+linkage*side)%population
				}
				fmt.Fprintf(b, "update %s set %s where ki = %d;\n", table, set(r.columns(), literals(r.columns(), to), ", "), n)
			}
		}
		for i, j := range f.joins {
			fmt.Fprintf(b, "%s on conflict do nothing;\n", j.link(rowOf(n), rowOf(1+(n*linkage+i)%population)))
		}
	}
}

// keyClause makes the primary key; a pair is unique in any case.
func keyClause(k keyKind) string {
	primary := fmt.Sprintf("primary key (%s)", strings.Join(k.columns(""), ", "))
	if len(k.columns("")) == 1 {
		return primary + ", unique (ki, kt)"
	}
	return primary
}

func foreignKey(columns []string, to int, by keyKind, constraint string) string {
	return fmt.Sprintf("foreign key (%s) references %s (%s) %s",
		strings.Join(columns, ", "), forestTables[to], strings.Join(by.columns(""), ", "), constraint)
}

func (j joinTable) sql() string {
	var columns, all []string
	if j.key == "own" {
		columns = append(columns, "id bigint generated always as identity primary key")
	}
	for side, prefix := range joinPrefixes {
		for _, c := range j.by[side].columns("") {
			columns = append(columns, prefix+c+" "+map[string]string{"ki": "bigint", "kt": "text", "ku": "uuid"}[c])
			all = append(all, prefix+c)
		}
		columns = append(columns, foreignKey(j.by[side].columns(prefix), j.ends[side], j.by[side], j.constraint))
	}
	if j.key == "pair" {
		columns = append(columns, fmt.Sprintf("primary key (%s)", strings.Join(all, ", ")))
	}
	return fmt.Sprintf("create table %s (%s);\n", j.name, strings.Join(columns, ", "))
}

// Rows are known by numbers: the key columns of row n hold n, in three ways.

// most is the highest number of a row.
const most = 7

// keyTexts begin the text keys: what must be quoted in one language or another.
var keyTexts = [...]string{"k", "Ä'", `b\`, "{c,", `"d"`, "e:1:", " f", "NULL", "%g"}

// rowNames are what rows are called, told apart or not by collations.
var rowNames = [...]string{"a", "B", "b", "Ä", "ab", "", "Zz", "bä"}

func textKeyOf(n int) string { return fmt.Sprint(keyTexts[n%len(keyTexts)], n) }

func uuidKeyOf(n int) [16]byte { return [16]byte{6: 0x40, 8: 0x80, 15: byte(n)} }

// rowOf is row n, as far as its keys go.
func rowOf(n int) *Traits { return &Traits{KI: int64(n), KT: textKeyOf(n), KU: uuidKeyOf(n)} }

// allKeys are the key columns.
var allKeys = []string{"ki", "kt", "ku"}

// literalsOf is what a row holds in some of its key columns.
func literalsOf(columns []string, r *Traits) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		switch c {
		case "ki":
			out[i] = fmt.Sprintf("%d::bigint", r.KI)
		case "kt":
			out[i] = "'" + strings.ReplaceAll(r.KT, "'", "''") + "'::text"
		default:
			out[i] = fmt.Sprintf("'%x'::uuid", r.KU)
		}
	}
	return out
}

// literals is the values for columns that hold keys of row n, or refer to it;
// 0 is no row.
func literals(columns []string, n int) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		if out[i] = "null"; n > 0 {
			out[i] = literalsOf([]string{c[len(c)-2:]}, rowOf(n))[0]
		}
	}
	return out
}

// set assigns values to columns, or compares them.
func set(columns, values []string, between string) string {
	terms := make([]string, len(columns))
	for i, c := range columns {
		terms[i] = c + " = " + values[i]
	}
	return strings.Join(terms, between)
}

func nameOf(pick int) string { return "'" + rowNames[pick%len(rowNames)] + "'" }

func numOf(pick int) string { return [...]string{"0", "1", "null", "2", "1"}[pick%5] }

// insert adds row n, with references to others.
func (f *forest) insert(table, n int, to [2][]string, pick int) string {
	columns := append(slices.Clone(allKeys), "name", "num", "weight")
	values := append(literals(allKeys, n), nameOf(pick), numOf(pick/3), numOf(pick/7))
	for side, r := range f.references[table] {
		columns = append(columns, r.columns()...)
		values = append(values, to[side]...)
	}
	return fmt.Sprintf("insert into %s (%s) values (%s)", forestTables[table], strings.Join(columns, ", "), strings.Join(values, ", "))
}

// columns are those of both sides.
func (j joinTable) columns() []string {
	return append(j.by[0].columns(joinPrefixes[0]), j.by[1].columns(joinPrefixes[1])...)
}

func (j joinTable) insert() string {
	return fmt.Sprintf("insert into %s (%s)", j.name, strings.Join(j.columns(), ", "))
}

// link adds a join row of two rows.
func (j joinTable) link(left, right *Traits) string {
	return j.insert() + fmt.Sprintf(" values (%s)",
		strings.Join(append(literalsOf(j.by[0].columns(""), left), literalsOf(j.by[1].columns(""), right)...), ", "))
}
