package rowsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// schema is the watched part of a database: which tables are captured with
// which columns, and the models that are bound to them.
type schema struct {
	tables map[catalog.Name]*route.Table
	plans  *graph.Schema
	loader *load.Loader
	index  *route.Index
}

// blueprint gathers what the watchers need before the database is asked.
type blueprint struct {
	models       map[*model.Model]bool
	associations map[*model.Association]bool
	// lookups are the columns by which rows of a table must be found.
	lookups map[catalog.Name][][]string
	// bare are join tables, with the columns that name a row if the table has
	// no primary key.
	bare map[catalog.Name][]string
}

// draw gathers what the watchers need.
func draw(watchers []Watcher, models *model.Registry) (*blueprint, error) {
	b := &blueprint{
		models: map[*model.Model]bool{}, associations: map[*model.Association]bool{},
		lookups: map[catalog.Name][][]string{}, bare: map[catalog.Name][]string{},
	}
	var errs []error
	for _, w := range watchers {
		tree, err := w.tree(models)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.addTree(tree)
	}
	return b, errors.Join(errs...)
}

func (b *blueprint) addTree(t *model.Tree) {
	b.addModel(t.Model)
	for _, branch := range t.Branches {
		b.addAssociation(branch.Association)
		b.addTree(&branch.Tree)
	}
}

func (b *blueprint) addModel(m *model.Model) {
	if !b.models[m] {
		b.models[m] = true
		b.lookup(tableName(m), columnNames(m.Key))
	}
}

func (b *blueprint) addAssociation(a *model.Association) {
	if b.associations[a] {
		return
	}
	b.associations[a] = true
	for _, step := range a.Through {
		b.addAssociation(step)
	}
	b.addModel(a.Owner)
	b.addModel(a.Target)
	if a.Kind == model.Through {
		return
	}
	b.lookup(tableName(a.Target), columnNames(a.TargetColumns))
	if a.Join != nil {
		join := catalog.Name{Schema: a.Join.Schema, Table: a.Join.Table}
		b.lookup(join, a.Join.OwnerColumns)
		b.lookup(join, a.Join.TargetColumns)
		all := slices.Concat(b.bare[join], a.Join.OwnerColumns, a.Join.TargetColumns)
		slices.Sort(all)
		b.bare[join] = slices.Compact(all)
	}
}

func (b *blueprint) lookup(name catalog.Name, columns []string) {
	if !slices.ContainsFunc(b.lookups[name], func(c []string) bool { return slices.Equal(c, columns) }) {
		b.lookups[name] = append(b.lookups[name], columns)
	}
}

func tableName(m *model.Model) catalog.Name { return catalog.Name{Schema: m.Schema, Table: m.Table} }

func columnNames(columns []*model.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// bind asks the database for the tables and makes the schema. All that is wrong
// comes back together.
func (b *blueprint) bind(ctx context.Context, db load.Querier, clock *load.Clock, opts load.Options) (*schema, error) {
	names := slices.SortedFunc(maps.Keys(b.lookups), func(x, y catalog.Name) int { return strings.Compare(x.String(), y.String()) })
	found, err := catalog.Load(ctx, db, names)
	if err != nil {
		return nil, err
	}
	s := &schema{tables: map[catalog.Name]*route.Table{}, index: route.NewIndex()}
	var errs []error
	for _, name := range names {
		if t := found[name]; t == nil {
			errs = append(errs, b.missing(name))
		} else if err := s.capture(t, b.lookups[name], b.keyOf(t)); err != nil {
			errs = append(errs, err)
		}
	}
	mappers := mapper.Set{}
	for m := range b.models {
		t := found[tableName(m)]
		if t == nil {
			continue
		}
		if mappers[m], err = mapper.New(m, t); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	associations := slices.Collect(maps.Keys(b.associations))
	if s.loader, err = load.New(db, mappers, associations, clock, opts); err != nil {
		return nil, err
	}
	if err := s.check(ctx, associations); err != nil {
		s.loader.Close()
		return nil, err
	}
	s.plans = &graph.Schema{Index: s.index, Mappers: mappers, Loader: s.loader, Table: s.table}
	return s, nil
}

// check runs the statement of each association once, for no owner, so that a
// mistake in a condition or an order is found now and not at the first change.
func (s *schema) check(ctx context.Context, associations []*model.Association) error {
	var errs []error
	for _, a := range associations {
		if err := s.loader.Check(ctx, a); err != nil {
			if ctx.Err() != nil {
				return err
			}
			errs = append(errs, &ModelError{
				Type: a.Owner.Type.String(), Field: a.Name,
				Problem: fmt.Sprintf("the database refuses the statement that loads it: %v", err),
				Mend:    "check the association's columns, join table, where and order",
			})
		}
	}
	return errors.Join(errs...)
}

func (b *blueprint) missing(name catalog.Name) error {
	var users []string
	for m := range b.models {
		if tableName(m) == name {
			users = append(users, "model "+m.Type.String())
		}
	}
	for a := range b.associations {
		if a.Join != nil && a.Join.Schema == name.Schema && a.Join.Table == name.Table {
			users = append(users, fmt.Sprintf("join table of %s.%s", a.Owner.Type, a.Name))
		}
	}
	slices.Sort(users)
	return fmt.Errorf("table %s does not exist (%s): create it, or name the right one in the model", name, strings.Join(users, ", "))
}

// keyOf returns the columns that name a row of the table.
func (b *blueprint) keyOf(t *catalog.Table) []string {
	if len(t.Key) > 0 {
		return t.Key
	}
	return b.bare[t.Name]
}

// capture enters a table into the index, with every column that lookups need.
func (s *schema) capture(t *catalog.Table, lookups [][]string, key []string) error {
	if len(key) == 0 {
		return fmt.Errorf("table %s has no primary key, so a changed row cannot be named: add one (alter table %s add primary key …)", t.Name, t.Name)
	}
	c := &Table{Schema: t.Name.Schema, Name: t.Name.Table, Key: key}
	var errs []error
	for _, name := range slices.Concat(append([][]string{key}, lookups...)...) {
		switch {
		case t.Column(name) == nil:
			errs = append(errs, fmt.Errorf("table %s has no column %q; it has: %s", t.Name, name, strings.Join(t.ColumnNames(), ", ")))
		case !slices.Contains(key, name) && !slices.Contains(c.Columns, name):
			c.Columns = append(c.Columns, name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// The set of columns names the triggers, so it must not depend on the order of watchers.
	slices.Sort(c.Columns)
	canon := make([]func(string) string, 0, len(key)+len(c.Columns))
	for _, name := range slices.Concat(key, c.Columns) {
		canon = append(canon, mapper.Canon(t.Column(name)))
	}
	rt := s.index.Add(c, canon)
	for _, columns := range lookups {
		s.index.AddLookup(rt, columns)
	}
	s.tables[t.Name] = rt
	return nil
}

func (s *schema) table(schemaName, name string) *route.Table {
	return s.tables[catalog.Name{Schema: schemaName, Table: name}]
}

// captured returns what a Source must capture, in order of name.
func (s *schema) captured() []*Table {
	out := make([]*Table, 0, len(s.tables))
	for _, t := range s.tables {
		out = append(out, t.Capture)
	}
	slices.SortFunc(out, func(x, y *Table) int { return strings.Compare(x.String(), y.String()) })
	return out
}
