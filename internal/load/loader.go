// Package load reads rows and their associations from PostgreSQL, many with
// each statement, and each of them once however many values hold it.
package load

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// Querier is what the Loader needs of a pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
}

// Options bound what the Loader keeps.
type Options struct {
	CacheSize int           // entries
	CacheTTL  time.Duration // an entry's longest life
	Timeout   time.Duration // of one read
}

// Loader reads rows. Its methods may be called from any goroutine. What they
// return may be shared and must not be altered.
type Loader struct {
	db      Querier
	mappers mapper.Set
	cache   *cache
	// conditions lists, by model, the conditions of associations that lead to it.
	conditions map[*model.Model][]string
	counts     *counts
	scope      string // "" outside any, see [Loader.In]
}

// counts is what a Loader has done, in all its scopes.
type counts struct{ statements, rows atomic.Uint64 }

// New returns a Loader for the models of mappers and associations between them.
func New(db Querier, mappers mapper.Set, associations []*model.Association, clock *Clock, opts Options) (*Loader, error) {
	c, err := newCache(clock, opts.CacheSize, opts.CacheTTL, opts.Timeout)
	if err != nil {
		return nil, err
	}
	l := &Loader{db: db, mappers: mappers, cache: c, conditions: map[*model.Model][]string{}, counts: &counts{}}
	for _, a := range associations {
		if a.Where != "" && l.Condition(a) < 0 {
			l.conditions[a.Target] = append(l.conditions[a.Target], a.Where)
		}
	}
	return l, nil
}

// Close ends the reads that are under way and empties the cache.
func (l *Loader) Close() { l.cache.close() }

// Counts returns how many statements ran and how many rows they read.
func (l *Loader) Counts() (statements, rows uint64) {
	return l.counts.statements.Load(), l.counts.rows.Load()
}

// Condition returns the place of an association's condition in Row.Met, or -1.
func (l *Loader) Condition(a *model.Association) int {
	for i, c := range l.conditions[a.Target] {
		if c == a.Where {
			return i
		}
	}
	return -1
}

// Check runs the statement that loads an association, for no owner at all.
func (l *Loader) Check(ctx context.Context, a *model.Association) error {
	sql, types := l.listQuery(a)
	return l.scan(ctx, l.mappers[a.Target], sql, mapper.Arrays(nil, len(types)), []any{new(int)}, nil,
		func(reflect.Value) error { return nil })
}

// scan runs a statement and gives each row to a new struct of m's type. before
// and after are further columns on either side of the model's.
func (l *Loader) scan(ctx context.Context, m *mapper.Mapper, sql string, args []any,
	before, after []any, each func(row reflect.Value) error,
) error {
	l.counts.statements.Add(1)
	rows, err := l.db.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("load %s: %w", m.Model, err)
	}
	defer rows.Close()
	targets := make([]any, 0, len(before)+len(m.Model.Columns)+len(after))
	for rows.Next() {
		l.counts.rows.Add(1)
		row := reflect.New(m.Model.Type).Elem()
		targets = append(m.Targets(row, append(targets[:0], before...)), after...)
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("load %s: %w", m.Model, err)
		}
		if err := each(row); err != nil {
			return fmt.Errorf("load %s: %w", m.Model, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("load %s: %w", m.Model, err)
	}
	return nil
}

// Select reads the rows of the tree's model that a clause chooses, such as
// "where published order by id limit 3", in the clause's order, with the
// associations of the tree. Nothing of it comes from the cache. In the clause,
// t is the model's table.
func (l *Loader) Select(ctx context.Context, tree *model.Tree, clause string, args []any) ([]reflect.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cache.timeout)
	defer cancel()
	m := l.mappers[tree.Model]
	sql := fmt.Sprintf("select %s from %s t %s", columnList(m.Model.Columns), tableOf(m.Model), clause)
	var out []reflect.Value
	err := l.scan(ctx, m, sql, args, nil, nil, func(row reflect.Value) error {
		out = append(out, row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, l.Preload(ctx, tree, out)
}

// Keys reads just the keys of the rows that a clause chooses, in its order.
func (l *Loader) Keys(ctx context.Context, m *model.Model, clause string, args []any) ([]mapper.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cache.timeout)
	defer cancel()
	b := l.mappers[m]
	l.counts.statements.Add(1)
	// The clause stands behind the same list of columns as in Select, for ORDER BY
	// may name one by its position in it
	// (https://www.postgresql.org/docs/current/queries-order.html).
	sql := fmt.Sprintf("select %s from (select %s from %s t %s) t", columnList(m.Key), columnList(m.Columns), tableOf(m), clause)
	rows, err := l.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("load keys of %s: %w", m, err)
	}
	defer rows.Close()
	var keys []mapper.Key
	row := reflect.New(m.Type).Elem()
	targets := make([]any, len(m.Key))
	for i, c := range m.Key {
		targets[i] = row.FieldByIndex(c.Index).Addr().Interface()
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("load keys of %s: %w", m, err)
		}
		k, err := b.Key(row)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load keys of %s: %w", m, err)
	}
	return keys, nil
}
