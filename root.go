package rowsync

import (
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/graph"
	"github.com/rowsync/rowsync/internal/mapper"
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
	for t, more := range c.each {
		each, err := modelOf(client.opts.Models, t)
		if err != nil {
			return err
		}
		if _, err := each.Tree(more...); err != nil {
			return err
		}
		if each == m {
			paths = append(paths, more...)
		}
		for path, b := range tree.All() {
			if b.Association.Target != each {
				continue
			}
			for _, p := range more {
				paths = append(paths, path+"."+p)
			}
		}
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

// keep notes that rows took the place of held at the top of a value, and what
// the root now follows.
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
	if r.single() {
		for _, k := range left {
			delete(r.rows, k)
		}
	}
	if known := s.roots[r.plan.Tree.Model]; known != nil && known.plan != r.plan {
		wider := *known // others read the one that is there
		wider.paths, wider.plan = r.paths, r.plan
		s.roots[r.plan.Tree.Model] = &wider
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
