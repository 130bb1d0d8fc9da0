package rowsync

import (
	"maps"
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// root is what a Subscriber follows of values of one model.
type root struct {
	holder holders
	paths  []string
	plan   *graph.Node
	// subscribed counts calls of Subscribe, loaded says that there is a value
	// by Load.
	subscribed int
	loaded     bool
	// shared says that another root has the same holder.
	shared bool
	// guarded says that the Subscriber may not see every row.
	guarded bool
	// rows are those at the top of the values, as they were last seen.
	rows map[mapper.Key]reflect.Value
}

// single reports whether there is one value at most. With several, a row that
// left one of them may still be in another.
func (r *root) single() bool {
	return !r.shared && (r.subscribed == 0 || r.subscribed == 1 && !r.loaded)
}

// load notes that there is a value by Load. If it takes the place of another, the
// associations of that are held no more.
func (r *root) load() {
	if r.loaded && r.single() {
		r.paths, r.plan = nil, nil
	}
	r.loaded = true
}

// root returns what the Subscriber follows of a type's model, with paths added
// and altered by note.
func (s *Subscriber) root(t reflect.Type, c subscribeConfig, note func(*root)) (*root, error) {
	m, err := s.client.opts.Models.Of(t)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Roots past the sixty-second share a bit, which only means that rows that
	// leave one of them stay followed.
	r := &root{
		holder: loading << min(len(s.roots)+1, 62), shared: len(s.roots)+1 >= 62,
		guarded: s.cfg.guarded(), rows: map[mapper.Key]reflect.Value{},
	}
	if known := s.roots[m]; known != nil {
		*r = *known
	}
	note(r)
	if err := r.grow(s.client, m, c); err != nil {
		return nil, err
	}
	s.roots[m] = r
	return r, nil
}

// grow takes associations into the plan.
func (r *root) grow(client *Client, m *model.Model, c subscribeConfig) error {
	paths := slices.Concat(r.paths, c.paths)
	tree, err := m.Tree(paths...)
	if err != nil {
		return err
	}
	if paths, err = withEach(client.opts.Models, tree, paths, c.each); err != nil {
		return err
	}
	if tree, err = m.Tree(paths...); err != nil {
		return err
	}
	if r.plan != nil && r.plan.Tree.String() == tree.String() {
		return nil
	}
	slices.Sort(paths)
	r.paths = slices.Compact(paths)
	plans := client.schema.plans
	if r.guarded {
		plans = plans.Guarded()
	}
	r.plan, err = plans.Bind(tree)
	return err
}

// withEach adds to paths of a tree those that each names for models that are in it,
// or come into it so. Below what it added for a model, it adds nothing for that
// model again: rows that refer to one another would have no end.
func withEach(models *model.Registry, tree *model.Tree, paths []string, each map[reflect.Type][]string) ([]string, error) {
	more := map[*model.Model][]string{}
	for t, named := range each {
		m, err := modelOf(models, t)
		if err != nil {
			return nil, err
		}
		if _, err := m.Tree(named...); err != nil {
			return nil, err
		}
		more[m] = named
	}
	type place struct {
		path string // "" at the root, or ends in a dot
		of   *model.Model
		done []*model.Model // what was added for on the way here
	}
	todo := []place{{of: tree.Model}}
	for path, b := range tree.All() {
		todo = append(todo, place{path: path + ".", of: b.Association.Target})
	}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if len(more[p.of]) == 0 || slices.Contains(p.done, p.of) {
			continue
		}
		below, err := p.of.Tree(more[p.of]...)
		if err != nil {
			return nil, err
		}
		for path, b := range below.All() {
			paths = append(paths, p.path+path)
			todo = append(todo, place{p.path + path + ".", b.Association.Target, append(slices.Clone(p.done), p.of)})
		}
	}
	return paths, nil
}

// hold notes the rows at the top of a value that came by Subscribe or Load: one
// that takes the place of what was held by Load before, or one more.
func (s *Subscriber) hold(r *root, rows []reflect.Value) error {
	if r.loaded && r.single() {
		s.mu.Lock()
		clear(r.rows)
		s.mu.Unlock()
	}
	return s.keep(r, nil, rows)
}

// keep notes that rows took the place of held at the top of a value.
func (s *Subscriber) keep(r *root, held, rows []reflect.Value) error {
	for len(held) > 0 && len(rows) > 0 && graph.Same(held[:1], rows[:1]) {
		held, rows = held[1:], rows[1:] // noted before
	}
	for len(held) > 0 && len(rows) > 0 && graph.Same(held[len(held)-1:], rows[len(rows)-1:]) {
		held, rows = held[:len(held)-1], rows[:len(rows)-1]
	}
	keys := make([]mapper.Key, len(rows))
	stays := make(map[mapper.Key]bool, len(rows))
	for i, row := range rows {
		k, err := r.plan.Mapper.Key(row)
		if err != nil {
			return err
		}
		keys[i], stays[k] = k, true
	}
	var left []mapper.Key
	for _, row := range held {
		k, err := r.plan.Mapper.Key(row)
		if err != nil {
			return err
		}
		if !stays[k] {
			left = append(left, k)
		}
	}
	s.hiddenOf(r.plan.Tree.Model).Remove(keys...) // whoever holds a row sees it
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range keys {
		r.rows[k] = rows[i]
	}
	for _, k := range left {
		delete(r.rows, k) // there is no such row in the database, for any value
	}
	return nil
}

// leave ends following what left one of the root's values, which now has n rows,
// unless another of them needs it.
func (s *Subscriber) leave(r *root, items []route.Item, n int) error {
	if len(items) == 0 || r.shared {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	needed := map[route.Item]struct{}{}
	if len(r.rows) > n {
		var err error
		if needed, err = itemsOf(r.plan, slices.Collect(maps.Values(r.rows))); err != nil {
			return err
		}
	}
	for _, it := range items {
		if _, needs := needed[it]; !needs {
			s.drop(r.holder, it)
		}
	}
	return nil
}

// part takes rows off those that the root holds. It returns the rest, and the
// rows taken, as they were given and as they were last seen.
func (s *Subscriber) part(r *root, rows []reflect.Value) (rest, gone []reflect.Value, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		k, err := r.plan.Mapper.Key(row)
		if err != nil {
			return nil, nil, err
		}
		gone = append(gone, row)
		if known, ok := r.rows[k]; ok {
			gone = append(gone, known)
			delete(r.rows, k)
		}
	}
	for _, row := range r.rows {
		rest = append(rest, row)
	}
	if len(rest) == 0 {
		empty := *r // as though nothing had been subscribed yet
		empty.plan, empty.paths, empty.subscribed, empty.loaded = nil, nil, 0, false
		s.roots[r.plan.Tree.Model] = &empty
	}
	return rest, gone, nil
}
