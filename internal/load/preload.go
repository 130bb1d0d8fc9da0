package load

import (
	"context"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Preload reads the tree's associations of rows, which must be addressable, and
// sets their fields: one statement for each association at each level.
func (l *Loader) Preload(ctx context.Context, tree *model.Tree, rows []reflect.Value) error {
	if len(rows) == 0 {
		return nil
	}
	for _, b := range tree.Branches {
		columns := Start(b.Association)
		m := l.mappers[tree.Model]
		keys := make([]mapper.Key, 0, len(rows))
		owners := make(map[mapper.Key][]reflect.Value, len(rows))
		for _, row := range rows {
			k, ok, err := m.KeyOf(row, columns)
			if err != nil {
				return err
			}
			if !ok {
				mapper.SetTargets(row, b.Association, nil)
				continue
			}
			if _, seen := owners[k]; !seen {
				keys = append(keys, k)
			}
			owners[k] = append(owners[k], row)
		}
		lists, err := l.branch(ctx, b, keys)
		if err != nil {
			return err
		}
		for k, rows := range owners {
			for _, row := range rows {
				mapper.SetTargets(row, b.Association, lists[k])
			}
		}
	}
	return nil
}

// Start returns the owner's columns that an association starts from.
func Start(a *model.Association) []*model.Column {
	if a.Kind == model.Through {
		return a.Through[0].OwnerColumns
	}
	return a.OwnerColumns
}

// branch reads the rows of a branch's association for owners, with the
// associations of the branch. A row that several owners have is one struct.
func (l *Loader) branch(ctx context.Context, b *model.Branch, owners []mapper.Key) (map[mapper.Key][]reflect.Value, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	a := b.Association
	sql, types := l.listQuery(a)
	m := l.mappers[a.Target]
	lists := make(map[mapper.Key][]reflect.Value, len(owners))
	rows := map[mapper.Key]reflect.Value{}
	var all []reflect.Value
	var n int
	err := l.scan(ctx, m, sql, mapper.Arrays(owners, len(types)), []any{&n}, nil, func(row reflect.Value) error {
		k, err := m.Key(row)
		if err != nil {
			return err
		}
		if first, ok := rows[k]; ok {
			row = first
		} else {
			rows[k] = row
			all = append(all, row)
		}
		lists[owners[n-1]] = append(lists[owners[n-1]], row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lists, l.Preload(ctx, &b.Tree, all)
}
