package rowsync_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/model"
)

// verdicts is what plain SQL says of a database at one moment: all rows of all
// tables. Associations are followed in memory, one owner at a time, by what
// their models say and nothing else; only whether a row meets a condition and
// which comes first the database decides.
type verdicts struct {
	forest *forest
	rows   map[*model.Model][]*judged
	links  map[string][]map[string]any // rows of the join tables, by column
	roots  map[string][]*judged        // what selections choose; see choose
}

// judged is one row, with what the database says of it.
type judged struct {
	Traits
	met  map[string]bool
	rank map[string]int64
}

// selection is a Select of the rows of one of the types.
type selection struct {
	of int
	rowsync.Select
}

// judge reads everything, in one snapshot.
func judge(ctx context.Context, db *pgxpool.Pool, f *forest, chosen []selection) (*verdicts, error) {
	v := &verdicts{forest: f, rows: map[*model.Model][]*judged{}, links: map[string][]map[string]any{}, roots: map[string][]*judged{}}
	err := pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, m := range f.models[:f.types] {
			if err := v.readTable(ctx, tx, m); err != nil {
				return err
			}
		}
		for _, j := range f.joins {
			rows, _ := tx.Query(ctx, "select * from "+j.name)
			links, err := pgx.CollectRows(rows, pgx.RowToMap)
			if err != nil {
				return err
			}
			v.links[j.name] = links
		}
		for _, s := range chosen {
			if err := v.choose(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// readTable reads a table, with what associations that lead to it ask.
func (v *verdicts) readTable(ctx context.Context, tx pgx.Tx, m *model.Model) error {
	var wheres, orders []string
	for _, owner := range v.forest.models {
		for _, a := range owner.Associations {
			if a.Target == m {
				wheres, orders = append(wheres, a.Where), append(orders, a.Order)
			}
		}
	}
	wheres, orders = distinct(wheres), distinct(orders)
	met, rank := []string{"true"}, []string{"0"}
	for _, w := range wheres {
		met = append(met, fmt.Sprintf("coalesce((%s), false)", w))
	}
	for _, o := range orders {
		rank = append(rank, fmt.Sprintf("row_number() over (order by %s)", o))
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("select %s, array[%s] as met, array[%s]::bigint[] as rank from %s t",
		strings.Join(columnNames(m.Columns), ", "), strings.Join(met, ", "), strings.Join(rank, ", "), m.Table))
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[struct {
		Traits
		Met  []bool  `db:"met"`
		Rank []int64 `db:"rank"`
	}])
	if err != nil {
		return err
	}
	for _, r := range found {
		j := &judged{Traits: r.Traits, met: map[string]bool{"": true}, rank: map[string]int64{}}
		for i, w := range wheres {
			j.met[w] = r.Met[i+1]
		}
		for i, o := range orders {
			j.rank[o] = r.Rank[i+1]
		}
		v.rows[m] = append(v.rows[m], j)
	}
	return nil
}

// distinct are the texts that are not empty, each once.
func distinct(parts []string) []string {
	slices.Sort(parts)
	return slices.DeleteFunc(slices.Compact(parts), func(s string) bool { return s == "" })
}

// choose finds the rows that a selection chooses.
func (v *verdicts) choose(ctx context.Context, tx pgx.Tx, s selection) error {
	m := v.forest.models[s.of]
	order := strings.Join(columnNames(m.Key), ", ")
	if s.OrderBy != "" {
		order = s.OrderBy + ", " + order
	}
	where := "true"
	if s.Where != "" {
		where = s.Where
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("select ki from %s t where %s order by %s", m.Table, where, order), s.Args...)
	if err != nil {
		return err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	chosen := []*judged{}
	for _, k := range keys {
		chosen = append(chosen, v.rows[m][slices.IndexFunc(v.rows[m], func(r *judged) bool { return r.KI == k })])
	}
	chosen = chosen[min(s.Offset, len(chosen)):]
	if s.Limit > 0 {
		chosen = chosen[:min(s.Limit, len(chosen))]
	}
	v.roots[s.name()] = chosen
	return nil
}

// name tells selections apart.
func (s selection) name() string {
	return fmt.Sprintf("%s where %q %v order %q limit %d offset %d", species[s.of].Name(), s.Where, s.Args, s.OrderBy, s.Limit, s.Offset)
}

// targets are the rows that an owner has by an association, in its order.
func (v *verdicts) targets(owner *judged, a *model.Association) []*judged {
	out := v.members(owner, a)
	slices.SortFunc(out, func(x, y *judged) int { return cmp.Compare(x.rank[a.Order], y.rank[a.Order]) })
	if !a.Many && len(out) > 1 {
		out = out[:1]
	}
	return out
}

// members is targets in any order, and all of them.
func (v *verdicts) members(owner *judged, a *model.Association) []*judged {
	found := map[*judged]bool{}
	switch a.Kind {
	case model.Through:
		at := []*judged{owner}
		for _, step := range a.Through {
			found = map[*judged]bool{}
			for _, o := range at {
				for _, t := range v.members(o, step) {
					found[t] = true
				}
			}
			at = keysOfMap(found)
		}
	case model.ManyToMany:
		from, ok := owner.identity(columnNames(a.OwnerColumns))
		for _, link := range v.links[a.Join.Table] {
			if ok && linkIdentity(link, a.Join.OwnerColumns) == from {
				v.find(found, a, linkIdentity(link, a.Join.TargetColumns))
			}
		}
	default:
		if from, ok := owner.identity(columnNames(a.OwnerColumns)); ok {
			v.find(found, a, from)
		}
	}
	out := keysOfMap(found)
	return slices.DeleteFunc(out, func(t *judged) bool { return !t.met[a.Where] })
}

// find adds the target rows that hold an identity.
func (v *verdicts) find(found map[*judged]bool, a *model.Association, identity string) {
	for _, t := range v.rows[a.Target] {
		if to, ok := t.identity(columnNames(a.TargetColumns)); ok && to == identity {
			found[t] = true
		}
	}
}

func keysOfMap(m map[*judged]bool) []*judged {
	out := make([]*judged, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// identity is what a row holds in some columns; false if one is null.
func (r *Traits) identity(columns []string) (string, bool) {
	values := map[string]any{"ki": &r.KI, "kt": &r.KT, "ku": &r.KU, "a_ki": r.AI, "a_kt": r.AT, "a_ku": r.AU, "b_ki": r.BI, "b_kt": r.BT, "b_ku": r.BU}
	link := map[string]any{}
	for _, c := range columns {
		switch x := values[c].(type) {
		case *int64:
			if x == nil {
				return "", false
			}
			link[c] = *x
		case *string:
			if x == nil {
				return "", false
			}
			link[c] = *x
		case *[16]byte:
			if x == nil {
				return "", false
			}
			link[c] = *x
		}
	}
	return linkIdentity(link, columns), true
}

// linkIdentity is what a join row, none of whose columns is null, holds in some.
func linkIdentity(link map[string]any, columns []string) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, "%v,", link[c])
	}
	return b.String()
}
