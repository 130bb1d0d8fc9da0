package load

import (
	"context"
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Row is one row as it was at Pos or later.
type Row struct {
	// Value is the struct, invalid if there is no such row.
	Value reflect.Value
	// Met says of each condition that associations put on the row's table
	// whether the row meets it; see [Loader.Condition].
	Met []bool
	Pos uint64
}

// Exists reports whether there is such a row.
func (r Row) Exists() bool { return r.Value.IsValid() }

// Rows reads rows by key. Every key that is wanted has a Row in the result. The
// rows come without associations. If a statement has to run, it reads what next
// says too, for those who will want it; next may be nil.
func (l *Loader) Rows(ctx context.Context, m *model.Model, wants []Want, next func() []Want) (map[mapper.Key]Row, error) {
	got, err := l.cache.getAhead(ctx, l.subject("rows", m, ""), wants, next,
		func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
			return l.fetchRows(ctx, m, keys)
		})
	if err != nil {
		return nil, err
	}
	out := make(map[mapper.Key]Row, len(got))
	for k, f := range got {
		r, _ := f.value.(Row)
		r.Pos = f.pos
		out[k] = r
	}
	return out, nil
}

func (l *Loader) fetchRows(ctx context.Context, m *model.Model, keys []mapper.Key) (map[mapper.Key]any, error) {
	b, conditions := l.mappers[m], l.conditions[m]
	met := make([]bool, len(conditions))
	after := make([]any, len(met))
	for i := range met {
		after[i] = &met[i]
	}
	out := make(map[mapper.Key]any, len(keys))
	err := l.scan(ctx, b, rowsQuery(b, conditions), mapper.Arrays(keys, len(m.Key)), nil, after,
		func(row reflect.Value) error {
			k, err := b.Key(row)
			out[k] = Row{Value: row, Met: append([]bool(nil), met...)}
			return err
		})
	return out, err
}

// Bundle is a row with the associations of a tree, as all of it was at Pos or later.
type Bundle struct {
	Value reflect.Value // invalid if there is no such row
	Pos   uint64
}

// Bundles reads rows by key together with the tree's associations. Where there
// are none, it is the same as Rows, and what either has read serves both. Of next
// see Rows.
func (l *Loader) Bundles(ctx context.Context, tree *model.Tree, wants []Want, next func() []Want) (map[mapper.Key]Bundle, error) {
	if len(tree.Branches) == 0 {
		rows, err := l.Rows(ctx, tree.Model, wants, next)
		out := make(map[mapper.Key]Bundle, len(rows))
		for k, r := range rows {
			out[k] = Bundle{r.Value, r.Pos}
		}
		return out, err
	}
	s := l.subject("bundles", tree.Model, tree.String())
	got, err := l.cache.getAhead(ctx, s, wants, next,
		func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
			rows, err := l.fetchRows(ctx, tree.Model, keys)
			if err != nil {
				return nil, err
			}
			all := make([]reflect.Value, 0, len(rows))
			for k, r := range rows {
				v := r.(Row).Value
				all = append(all, v)
				rows[k] = v
			}
			return rows, l.Preload(ctx, tree, all)
		})
	if err != nil {
		return nil, err
	}
	out := make(map[mapper.Key]Bundle, len(got))
	for k, f := range got {
		v, _ := f.value.(reflect.Value)
		out[k] = Bundle{v, f.pos}
	}
	return out, nil
}

// List is the rows of an association of one owner, in the association's order,
// as they were at Pos or later.
type List struct {
	Values []reflect.Value
	Pos    uint64
}

// Lists reads the rows of a branch's association, with the associations of the
// branch, for the values that owners hold in the columns it starts from.
func (l *Loader) Lists(ctx context.Context, b *model.Branch, owners []Want) (map[mapper.Key]List, error) {
	s := l.subject("lists", b.Association, b.String())
	got, err := l.cache.get(ctx, s, owners,
		func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
			lists, err := l.branch(ctx, b, keys)
			out := make(map[mapper.Key]any, len(keys))
			for k, list := range lists {
				out[k] = list
			}
			return out, err
		})
	if err != nil {
		return nil, err
	}
	out := make(map[mapper.Key]List, len(got))
	for k, f := range got {
		vs, _ := f.value.([]reflect.Value)
		out[k] = List{vs, f.pos}
	}
	return out, nil
}

// Pair is what a join table holds of an owner and a target.
type Pair struct{ Owner, Target mapper.Key }

// Pairs reads which pairs a many to many association links: the target's row
// (without associations) if the join table has the pair and the target exists
// and meets the association's condition.
func (l *Loader) Pairs(ctx context.Context, a *model.Association, pairs []Pair, need uint64) (map[Pair]Bundle, error) {
	keys := make([]mapper.Key, len(pairs))
	of := make(map[mapper.Key]Pair, len(pairs))
	for i, p := range pairs {
		texts := append(p.Owner.Split(len(a.OwnerColumns)), p.Target.Split(len(a.TargetColumns))...)
		keys[i] = mapper.Join(texts...)
		of[keys[i]] = p
	}
	got, err := l.cache.get(ctx, l.subject("pairs", a, ""), Wants(keys, need),
		func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
			out := make(map[mapper.Key]any, len(keys))
			var n int
			err := l.scan(ctx, l.mappers[a.Target], l.pairsQuery(a),
				mapper.Arrays(keys, len(a.OwnerColumns)+len(a.TargetColumns)), []any{&n}, nil,
				func(row reflect.Value) error {
					out[keys[n-1]] = row
					return nil
				})
			return out, err
		})
	if err != nil {
		return nil, err
	}
	out := make(map[Pair]Bundle, len(got))
	for k, f := range got {
		v, _ := f.value.(reflect.Value)
		out[of[k]] = Bundle{v, f.pos}
	}
	return out, nil
}

// Linkers reads which owners a many to many association links targets to: for
// each of the values that the join table holds of a target, those of its owners.
func (l *Loader) Linkers(ctx context.Context, a *model.Association, targets []Want) (map[mapper.Key][]mapper.Key, error) {
	got, err := l.cache.get(ctx, l.subject("linkers", a, ""), targets,
		func(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
			lists, err := l.fetchLinkers(ctx, a, keys)
			out := make(map[mapper.Key]any, len(keys))
			for k, list := range lists {
				out[k] = list
			}
			return out, err
		})
	if err != nil {
		return nil, err
	}
	out := make(map[mapper.Key][]mapper.Key, len(got))
	for k, f := range got {
		out[k], _ = f.value.([]mapper.Key)
	}
	return out, nil
}

func (l *Loader) fetchLinkers(ctx context.Context, a *model.Association, keys []mapper.Key) (map[mapper.Key][]mapper.Key, error) {
	l.counts.statements.Add(1)
	rows, err := l.db.Query(ctx, l.linkersQuery(a), mapper.Arrays(keys, len(a.TargetColumns))...)
	if err != nil {
		return nil, fmt.Errorf("load links to %s: %w", a.Target, err)
	}
	defer rows.Close()
	canon := l.mappers[a.Owner].Canon(a.OwnerColumns)
	var n int
	texts := make([]*string, len(canon))
	targets := []any{&n}
	for i := range texts {
		targets = append(targets, &texts[i])
	}
	out := map[mapper.Key][]mapper.Key{}
	for rows.Next() {
		l.counts.rows.Add(1)
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("load links to %s: %w", a.Target, err)
		}
		if k, ok := canon.Key(texts); ok {
			out[keys[n-1]] = append(out[keys[n-1]], k)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load links to %s: %w", a.Target, err)
	}
	return out, nil
}
