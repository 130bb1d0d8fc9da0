package model

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Tree is a Model with associations of it, and associations of theirs: what is
// loaded, or followed, together. A Tree that [Model.Tree] returned may be read
// from any goroutine.
type Tree struct {
	Model *Model
	// Branches are in the order of Model.Associations, each association once.
	Branches []*Branch
}

// Branch is an association in a Tree, together with the Tree that begins at its
// target.
type Branch struct {
	Association *Association
	Tree
}

// Tree returns the tree of the associations that the paths name. A path is a
// field's name, or several joined by dots: "Author.FavouriteTags". It names
// every association on its way; paths may overlap and repeat.
//
// If a path leads nowhere, the error is a [*ModelError]; several are joined.
func (m *Model) Tree(paths ...string) (*Tree, error) {
	t := &Tree{Model: m}
	var errs []error
	for _, path := range paths {
		if err := t.grow(path); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// grow adds a path.
func (t *Tree) grow(path string) error {
	at := t
	for name := range strings.SplitSeq(path, ".") {
		a := at.Model.Association(name)
		if a == nil {
			return noAssociation(at.Model, name, path)
		}
		at = &at.branch(a).Tree
	}
	return nil
}

// noAssociation says that a path leads nowhere at m.
func noAssociation(m *Model, name, path string) error {
	names := associationNames(m.Associations)
	mend := "name one of its associations: " + strings.Join(names, ", ")
	if len(names) == 0 {
		mend = "end the path before, for it has no associations"
	}
	problem := fmt.Sprintf("no association %q", name)
	if name != path {
		problem += fmt.Sprintf(" in path %q", path)
	}
	return fault(mend, "%s", problem).at(m.Type, "")
}

// branch returns the branch of an association of t.Model, which it adds if it
// is missing.
func (t *Tree) branch(a *Association) *Branch {
	at := 0
	for _, known := range t.Model.Associations {
		if at < len(t.Branches) && t.Branches[at].Association == known {
			if known == a {
				return t.Branches[at]
			}
			at++
		} else if known == a {
			break
		}
	}
	b := &Branch{Association: a, Tree: Tree{Model: a.Target}}
	t.Branches = append(t.Branches, nil)
	copy(t.Branches[at+1:], t.Branches[at:])
	t.Branches[at] = b
	return b
}

// Branch returns the branch of the association that the field of that name
// holds, or nil.
func (t *Tree) Branch(name string) *Branch {
	for _, b := range t.Branches {
		if b.Association.Name == name {
			return b
		}
	}
	return nil
}

// Union returns the tree that has the branches of both. The two must begin at
// one Model. Neither is altered.
func (t *Tree) Union(other *Tree) *Tree {
	union := &Tree{Model: t.Model}
	union.take(t)
	union.take(other)
	return union
}

func (t *Tree) take(other *Tree) {
	if other == nil {
		return
	}
	for _, b := range other.Branches {
		t.branch(b.Association).take(&b.Tree)
	}
}

// All returns every branch with its path, each before the branches that grow
// from it.
func (t *Tree) All() iter.Seq2[string, *Branch] {
	return func(yield func(string, *Branch) bool) { t.walk("", yield) }
}

func (t *Tree) walk(prefix string, yield func(string, *Branch) bool) bool {
	for _, b := range t.Branches {
		path := prefix + b.Association.Name
		if !yield(path, b) || !b.walk(path+".", yield) {
			return false
		}
	}
	return true
}

// Models returns the models in the tree, each once, that of the root first;
// those on the way of through associations are included.
func (t *Tree) Models() []*Model {
	models := []*Model{t.Model}
	seen := map[*Model]bool{t.Model: true}
	for _, b := range t.All() {
		for _, m := range b.Association.models() {
			if !seen[m] {
				seen[m] = true
				models = append(models, m)
			}
		}
	}
	return models
}

// Joins returns the associations of the tree that have a join table, each once,
// those on the way of through associations included.
func (t *Tree) Joins() []*Association {
	var joins []*Association
	seen := map[*Association]bool{}
	add := func(a *Association) {
		if a.Join != nil && !seen[a] {
			seen[a] = true
			joins = append(joins, a)
		}
	}
	for _, b := range t.All() {
		add(b.Association)
		for _, step := range b.Association.Through {
			add(step)
		}
	}
	return joins
}

// String returns the paths of the leaves, such as "Author.FavouriteTags,Tags",
// and "" for a tree without branches. Trees of one Model are equal if and only
// if their strings are.
func (t *Tree) String() string {
	var b strings.Builder
	for path, branch := range t.All() {
		if len(branch.Branches) > 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(path)
	}
	return b.String()
}
