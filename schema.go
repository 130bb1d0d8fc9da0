package rowsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// schema is the watched part of a database: which tables are captured with
// which columns, the watchers, and the models that are bound to them.
type schema struct {
	server   catalog.Server
	tables   map[catalog.Name]*route.Table
	watchers []*watched
	// unlabelled are the watchers without a label, by their table.
	unlabelled map[*Table][]*watched
	// debugged says that some watcher logs each change.
	debugged bool
	plans    *graph.Schema
	loader   *load.Loader
	index    *route.Index
}

// blueprint gathers what the watchers need before the database is asked.
type blueprint struct {
	registry *model.Registry
	watches  []*watched
	// models and associations are those that values are loaded and kept in step
	// with; each of the models has a watcher.
	models       map[*model.Model]*watched
	associations map[*model.Association]bool
	// lookups are the columns by which rows of a table must be found.
	lookups map[catalog.Name][][]string
	// unread says that nothing will be loaded, so that the role need not have
	// the right to read the tables.
	unread bool
	// bare are join tables, with the columns that name a row if the table has
	// no primary key.
	bare map[catalog.Name][]string
}

// draw gathers what the watchers need, and returns all that is wrong with them
// beside what is right.
func draw(watchers []Watcher, models *model.Registry) (*blueprint, error) {
	b := &blueprint{
		registry: models, models: map[*model.Model]*watched{}, associations: map[*model.Association]bool{},
		lookups: map[catalog.Name][][]string{}, bare: map[catalog.Name][]string{},
	}
	return b, Watchers(watchers).draw(b)
}

// addWatch enters a watcher, unless another has its name.
func (b *blueprint) addWatch(w *watched) error {
	for _, other := range b.watches {
		switch {
		case other.wrong, w.watch.Label != other.watch.Label:
		case w.watch.Label != "":
			return fmt.Errorf("two watchers have the label %q: watch %s and watch %s: give one of them another", w.watch.Label, other.made, w.made)
		case w.model == other.model && w.ops&other.ops != 0 && !w.whole && !other.whole:
			return fmt.Errorf("two watchers are named (%s, %s): watch %s and watch %s: give one of them a Label, or make them one",
				w.model.Type.Name(), past(w.ops&other.ops), other.made, w.made)
		}
	}
	b.watches = append(b.watches, w)
	return nil
}

func (b *blueprint) addTree(t *model.Tree) {
	b.addModel(t.Model)
	for _, branch := range t.Branches {
		b.addAssociation(branch.Association)
		b.addTree(&branch.Tree)
	}
}

func (b *blueprint) addModel(m *model.Model) {
	if b.models[m] == nil {
		w := &watched{made: fmt.Sprintf("WatchModel[%s]", m.Type), model: m, name: tableName(m), ops: AnyOp, whole: true}
		b.models[m] = w
		b.watches = append(b.watches, w)
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
// comes back together, with the tables of the schema that nothing is wrong with.
func (b *blueprint) bind(ctx context.Context, db load.Querier, clock *load.Clock, opts load.Options) (*schema, error) {
	names := slices.Collect(maps.Keys(b.lookups))
	for _, w := range b.watches {
		names = append(names, w.name)
	}
	slices.SortFunc(names, func(x, y catalog.Name) int { return strings.Compare(x.String(), y.String()) })
	names = slices.Compact(names)
	found, err := catalog.Load(ctx, db, names)
	if err != nil {
		return nil, err
	}
	s := &schema{tables: map[catalog.Name]*route.Table{}, unlabelled: map[*Table][]*watched{}, index: route.NewIndex()}
	if s.server, err = catalog.LoadServer(ctx, db); err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		if err := b.bindTable(s, name, found[name]); err != nil {
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
		return s, err
	}
	associations := slices.Collect(maps.Keys(b.associations))
	for _, a := range associations {
		errs = append(errs, loose(a, found))
	}
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	if s.loader, err = load.New(db, mappers, associations, clock, opts); err != nil {
		return s, err
	}
	if err := s.check(ctx, associations, b.unread); err != nil {
		s.loader.Close()
		return s, err
	}
	s.plans = &graph.Schema{Index: s.index, Mappers: mappers, Loader: s.loader, Table: s.table}
	return s, nil
}

// loose returns an error for an association by columns that PostgreSQL compares
// otherwise than by their text: changes are routed by text.
func loose(a *model.Association, found map[catalog.Name]*catalog.Table) error {
	if a.Kind == model.Through {
		return nil // its steps are associations themselves
	}
	by := map[catalog.Name][]string{}
	add := func(name catalog.Name, columns []string) { by[name] = append(by[name], columns...) }
	add(tableName(a.Owner), columnNames(a.OwnerColumns))
	add(tableName(a.Target), columnNames(a.TargetColumns))
	if a.Join != nil {
		add(catalog.Name{Schema: a.Join.Schema, Table: a.Join.Table}, slices.Concat(a.Join.OwnerColumns, a.Join.TargetColumns))
	}
	for name, columns := range by {
		for _, c := range columns {
			if t := found[name]; t != nil && t.Column(c) != nil && t.Column(c).Loose {
				return &ModelError{
					Type: a.Owner.Type.String(), Field: a.Name,
					Problem: fmt.Sprintf("column %q of table %s has a nondeterministic collation, by which texts that differ can be equal", c, name),
					Mend:    "give the column a deterministic collation, or the type citext, or leave the association out",
				}
			}
		}
	}
	return nil
}

// check runs the statement of each association once, for no owner, so that a
// mistake in a condition or an order is found now and not at the first change.
// With unread, that the role may not read a table is none.
func (s *schema) check(ctx context.Context, associations []*model.Association, unread bool) error {
	const insufficientPrivilege = "42501"
	var errs []error
	for _, a := range associations {
		if err := s.loader.Check(ctx, a); err != nil {
			var refused *pgconn.PgError
			if unread && errors.As(err, &refused) && refused.Code == insufficientPrivilege {
				continue
			}
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

func (b *blueprint) missing(name catalog.Name, limit int) error {
	for _, part := range []string{name.Schema, name.Table} {
		if len(part) > limit {
			return fmt.Errorf("name %q is %d bytes longer than the %d that PostgreSQL keeps of a name", part, len(part)-limit, limit)
		}
	}
	var users []string
	for _, w := range b.watches {
		if w.name == name && !w.whole {
			users = append(users, "watch "+w.made)
		}
	}
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
	return fmt.Errorf("table %s does not exist (%s): create it, or name the right one", name, strings.Join(users, ", "))
}

// bindTable enters a table and its watchers into the schema. t is nil if the
// database does not have it.
func (b *blueprint) bindTable(s *schema, name catalog.Name, t *catalog.Table) error {
	if t == nil {
		return b.missing(name, s.server.MaxIdentifier)
	}
	if err := capturable(t); err != nil {
		return err
	}
	var errs []error
	c := &captureTable{found: t, lookups: b.lookups[name], key: t.Key}
	if len(c.key) == 0 {
		c.key = b.bare[name]
	}
	if len(c.lookups) > 0 {
		c.ops, c.all = AnyOp, true
	}
	var watches []*watched
	for _, w := range b.watches {
		if w.name != name {
			continue
		}
		if err := w.resolve(t, s.server.MaxIdentifier, b.bare[name]); err != nil {
			errs = append(errs, err)
			continue
		}
		watches = append(watches, w)
		c.add(w)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	rt, err := c.enter(s.index)
	if err != nil {
		return err
	}
	s.tables[name] = rt
	for _, w := range watches {
		w.bind(s.index, rt)
		if w.watch.Label == "" {
			s.unlabelled[rt.Capture] = append(s.unlabelled[rt.Capture], w)
		}
	}
	s.watchers = append(s.watchers, watches...)
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
