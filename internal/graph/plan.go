// Package graph makes a value that is held in memory agree with the database,
// one changed row at a time, without altering the value: the path from the
// root to what changed is copied and the rest is shared.
package graph

import (
	"fmt"
	"slices"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
	"github.com/rowsync/rowsync/model"
)

// Node is a Model at one place of a value's tree, bound to its captured table.
type Node struct {
	Tree   *model.Tree
	Mapper *mapper.Mapper
	Table  *route.Table
	Edges  []*Edge

	key int // the table's lookup by the Model's key
}

// Edge leads from a Node to the rows of one of its associations.
type Edge struct {
	Branch *model.Branch
	Target *Node

	from  *mapper.Mapper  // of the owner
	start []*model.Column // the owner's columns it starts from
	// target is the lookup of the target's table by what an owner refers to;
	// for a belongs to, has one or has many it finds the rows of an owner.
	target int
	// join and owner are the join table and its lookup by what refers to the
	// owner; only for many to many.
	join  *route.Table
	owner int
	// path is every table on the way; only for through.
	path []*route.Table
	// met is the place of the association's condition in load.Row.Met, or -1.
	met int
	// guarded says that the holder may not see every row of the target.
	guarded bool
}

func (e *Edge) association() *model.Association { return e.Branch.Association }

// Schema is what a plan is bound to.
type Schema struct {
	Index   *route.Index
	Mappers mapper.Set
	Loader  *load.Loader
	// Table finds a captured table, or nil.
	Table func(schema, name string) *route.Table

	guarded bool
}

// Guarded returns a Schema that binds plans for those who may not see every row.
func (s *Schema) Guarded() *Schema {
	g := *s
	g.guarded = true
	return &g
}

// Bind makes the plan for values of a tree. The error names what is not watched.
func (s *Schema) Bind(t *model.Tree) (*Node, error) {
	n := &Node{Tree: t, Mapper: s.Mappers[t.Model]}
	var err error
	if n.Table, err = s.table(t.Model.Schema, t.Model.Table, t.Model); err != nil {
		return nil, err
	}
	if n.Mapper == nil {
		return nil, fmt.Errorf("model %s is not watched: add rowsync.WatchModel[%s]() to Options.Watchers", t.Model, t.Model.Type)
	}
	if n.key, err = s.lookup(n.Table, names(t.Model.Key), t.Model); err != nil {
		return nil, err
	}
	for _, b := range t.Branches {
		e, err := s.edge(b)
		if err != nil {
			return nil, err
		}
		n.Edges = append(n.Edges, e)
	}
	return n, nil
}

func (s *Schema) edge(b *model.Branch) (*Edge, error) {
	a := b.Association
	target, err := s.Bind(&b.Tree)
	if err != nil {
		return nil, err
	}
	e := &Edge{Branch: b, Target: target, from: s.Mappers[a.Owner], start: load.Start(a), met: -1, guarded: s.guarded}
	if a.Where != "" {
		if e.met = s.Loader.Condition(a); e.met < 0 {
			return nil, fmt.Errorf("association %s of model %s has a condition and is not watched: name it in a rowsync.WatchModel of Options.Watchers", a.Name, a.Owner)
		}
	}
	if a.Kind == model.Through {
		return e, s.throughTables(e, a)
	}
	if e.target, err = s.lookup(target.Table, names(a.TargetColumns), a.Owner); err != nil {
		return nil, err
	}
	if a.Kind == model.ManyToMany {
		if e.join, err = s.table(a.Join.Schema, a.Join.Table, a.Owner); err != nil {
			return nil, err
		}
		if e.owner, err = s.lookup(e.join, a.Join.OwnerColumns, a.Owner); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (s *Schema) throughTables(e *Edge, a *model.Association) error {
	for _, step := range a.Through {
		t, err := s.table(step.Target.Schema, step.Target.Table, a.Owner)
		if err != nil {
			return err
		}
		e.path = append(e.path, t)
		if step.Join != nil {
			if t, err = s.table(step.Join.Schema, step.Join.Table, a.Owner); err != nil {
				return err
			}
			e.path = append(e.path, t)
		}
	}
	return nil
}

func (s *Schema) table(schema, name string, of *model.Model) (*route.Table, error) {
	if t := s.Table(schema, name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("table %s.%s is not watched: name the path of %s that leads to it in a rowsync.WatchModel of Options.Watchers", schema, name, of)
}

func (s *Schema) lookup(t *route.Table, columns []string, of *model.Model) (int, error) {
	if n, ok := s.Index.Lookup(t, columns); ok {
		return n, nil
	}
	return 0, fmt.Errorf("columns %v of table %s are not watched: name the path of %s that needs them in a rowsync.WatchModel of Options.Watchers", columns, t.Capture, of)
}

func names(columns []*model.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// Tables calls yield with every table that a value of the plan depends on.
func (n *Node) Tables(yield func(*route.Table)) {
	yield(n.Table)
	for _, e := range n.Edges {
		if e.join != nil {
			yield(e.join)
		}
		for _, t := range e.path {
			yield(t)
		}
		e.Target.Tables(yield)
	}
}

// Passes reports whether a through association of the plan leads through a table.
func (n *Node) Passes(t *route.Table) bool {
	for _, e := range n.Edges {
		if slices.Contains(e.path, t) || e.Target.Passes(t) {
			return true
		}
	}
	return false
}

// dependsOn reports whether a change of the tables can touch a value of the plan.
func (n *Node) dependsOn(touched map[*route.Table]bool) bool {
	found := false
	n.Tables(func(t *route.Table) { found = found || touched[t] })
	return found
}

// dependsOn reports whether a change of the tables can touch the rows of the edge.
func (e *Edge) dependsOn(touched map[*route.Table]bool) bool {
	if touched[e.join] {
		return true
	}
	return e.pathTouched(touched) || e.Target.dependsOn(touched)
}

func (e *Edge) pathTouched(touched map[*route.Table]bool) bool {
	for _, t := range e.path {
		if touched[t] {
			return true
		}
	}
	return false
}
