package load

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Every table that a condition or an order of the user's may name columns of is
// called t, and nothing else in its scope has columns of its own names, so that
// columns need no prefix there.

func ident(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

func tableOf(m *model.Model) string { return ident(m.Schema, m.Table) }

// columnList names columns of the table t.
func columnList(columns []*model.Column) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("t.")
		b.WriteString(ident(c.Name))
	}
	return b.String()
}

func names(columns []*model.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// among is the condition that a table's columns hold one of the keys in the
// parameters $1…, one array of texts per column.
func among(columns []*model.Column, types []string) string {
	if len(columns) == 1 {
		return fmt.Sprintf("t.%s = any($1::text[]::%s[])", ident(columns[0].Name), types[0])
	}
	return fmt.Sprintf("(%s) in (select %s from %s)", columnList(columns), castList("k", types), unnest("k", len(types), ""))
}

// unnest is the parameters $1… as rows of text columns c1…; with more columns
// named after them, such as the number that "with ordinality" adds.
func unnest(alias string, n int, with string, more ...string) string {
	params, cols := make([]string, n), make([]string, n, n+len(more))
	for i := range n {
		params[i] = fmt.Sprintf("$%d::text[]", i+1)
		cols[i] = fmt.Sprintf("c%d", i+1)
	}
	return fmt.Sprintf("unnest(%s)%s as %s(%s)",
		strings.Join(params, ", "), with, alias, strings.Join(append(cols, more...), ", "))
}

func castList(alias string, types []string) string {
	casts := make([]string, len(types))
	for i, typ := range types {
		casts[i] = fmt.Sprintf("%s.c%d::%s", alias, i+1, typ)
	}
	return strings.Join(casts, ", ")
}

// owners is the keys in the parameters $1… as a table p(n, c1…): their number,
// from 1, and their columns in the database's types.
func owners(types []string) string {
	casts := make([]string, len(types))
	for i, typ := range types {
		casts[i] = fmt.Sprintf("k.c%d::%s as c%d", i+1, typ, i+1)
	}
	return fmt.Sprintf("(select k.n, %s from %s) p",
		strings.Join(casts, ", "), unnest("k", len(types), " with ordinality", "n"))
}

// rowsQuery reads rows by key, with each condition that associations put on the
// table as a boolean beside them.
func rowsQuery(m *mapper.Mapper, conditions []string) string {
	var b strings.Builder
	b.WriteString("select ")
	b.WriteString(columnList(m.Model.Columns))
	for _, c := range conditions {
		fmt.Fprintf(&b, ", (%s) is true", c)
	}
	fmt.Fprintf(&b, " from %s t where %s", tableOf(m.Model), among(m.Model.Key, m.Types(m.Model.Key)))
	return b.String()
}

// listQuery reads the rows of an association for many owners at once: the
// owner's number, then the columns of the target.
func (l *Loader) listQuery(a *model.Association) (sql string, ownerTypes []string) {
	steps := []*model.Association{a}
	where := ""
	if a.Kind == model.Through {
		steps, where = a.Through, a.Where
	}
	ownerTypes = l.mappers[steps[0].Owner].Types(steps[0].OwnerColumns)
	from := owners(ownerTypes)
	for i, step := range steps {
		target := fmt.Sprintf("(select * from %s t%s) t", tableOf(step.Target), whereClause(step.Where))
		joined := fmt.Sprintf("%s join %s on %s", join(from, step), target, equal("t", names(step.TargetColumns)))
		if i == len(steps)-1 {
			from = joined
			break
		}
		next := steps[i+1].OwnerColumns
		cols := make([]string, len(next))
		for c, col := range next {
			cols[c] = fmt.Sprintf("t.%s as c%d", ident(col.Name), c+1)
		}
		from = fmt.Sprintf("(select distinct p.n, %s from %s) p", strings.Join(cols, ", "), joined)
	}
	inner := fmt.Sprintf("select p.n as \"rowsync.n\", t.* from %s", from)
	if a.Kind == model.Through || a.Kind == model.ManyToMany {
		// Two ways that lead to one target are one row of the association.
		inner = fmt.Sprintf("select distinct on (p.n, %s) p.n as \"rowsync.n\", t.* from %s",
			columnList(a.Target.Key), from)
	}
	order := ""
	if a.Order != "" {
		order = fmt.Sprintf(` order by "rowsync.n", %s`, a.Order)
	}
	return fmt.Sprintf(`select "rowsync.n", %s from (%s) t%s%s`,
		columnList(a.Target.Columns), inner, whereClause(where), order), ownerTypes
}

func whereClause(condition string) string {
	if condition == "" {
		return ""
	}
	return " where (" + condition + ")"
}

// join leads from the owners p to what the target's columns must equal, again
// as p(n, c1…): unchanged, or through the join table.
func join(from string, a *model.Association) string {
	if a.Kind != model.ManyToMany {
		return from
	}
	cols := make([]string, len(a.Join.TargetColumns))
	for i, c := range a.Join.TargetColumns {
		cols[i] = fmt.Sprintf("j.%s as c%d", ident(c), i+1)
	}
	return fmt.Sprintf("(select p.n, %s from %s join %s j on %s) p", strings.Join(cols, ", "),
		from, ident(a.Join.Schema, a.Join.Table), equal("j", a.Join.OwnerColumns))
}

func equal(alias string, columns []string) string {
	terms := make([]string, len(columns))
	for i, c := range columns {
		terms[i] = fmt.Sprintf("%s.%s = p.c%d", alias, ident(c), i+1)
	}
	return strings.Join(terms, " and ")
}

// pairsQuery reads the targets of a many to many association for pairs of the
// values that the join table holds for owner and target: the pair's number,
// then the columns of the target. Pairs that are not linked have no row.
func (l *Loader) pairsQuery(a *model.Association) string {
	types := slices.Concat(l.mappers[a.Owner].Types(a.OwnerColumns), l.mappers[a.Target].Types(a.TargetColumns))
	n := len(a.OwnerColumns)
	terms := make([]string, 0, 2*len(a.TargetColumns))
	for i, c := range a.TargetColumns {
		terms = append(terms, fmt.Sprintf("t.%s = p.c%d", ident(c.Name), n+i+1))
	}
	linked := make([]string, 0, len(types))
	for i, c := range slices.Concat(a.Join.OwnerColumns, a.Join.TargetColumns) {
		linked = append(linked, fmt.Sprintf("j.%s = p.c%d", ident(c), i+1))
	}
	return fmt.Sprintf("select p.n, %s from %s join (select * from %s t%s) t on %s where exists (select from %s j where %s)",
		columnList(a.Target.Columns), owners(types), tableOf(a.Target), whereClause(a.Where),
		strings.Join(terms, " and "), ident(a.Join.Schema, a.Join.Table), strings.Join(linked, " and "))
}

// linkersQuery reads what the join table of a many to many association holds of
// the owners of targets: the target's number, then the owner's columns as text.
func (l *Loader) linkersQuery(a *model.Association) string {
	cols := make([]string, len(a.Join.OwnerColumns))
	for i, c := range a.Join.OwnerColumns {
		cols[i] = fmt.Sprintf("j.%s::text", ident(c))
	}
	return fmt.Sprintf("select distinct p.n, %s from %s join %s j on %s", strings.Join(cols, ", "),
		owners(l.mappers[a.Target].Types(a.TargetColumns)),
		ident(a.Join.Schema, a.Join.Table), equal("j", a.Join.TargetColumns))
}
