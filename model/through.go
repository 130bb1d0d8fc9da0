package model

import (
	"fmt"
	"strings"
)

// resolveThrough settles an association that leads through others. Those are
// resolved first if they are of the same kind; every other association must be
// resolved already.
func (b *builder) resolveThrough(c *candidate) {
	if c.result != nil || c.err != nil || c.failed {
		return
	}
	c.active = true
	defer func() { c.active = false }()
	a, e := b.follow(c)
	c.result, c.err = a, e
	c.failed = a == nil && e == nil
}

// follow walks along the path of a through association. It returns neither an
// association nor an error if a step of it is at fault, which is said there.
func (b *builder) follow(c *candidate) (*Association, *ModelError) {
	path := strings.Join(c.options.through, ".")
	if path == "" {
		return nil, fault(`write rowsync:"through=First.Second" with the names of association fields`, "no path for through")
	}
	at := c.owner
	var steps []*Association
	for i, name := range c.options.through {
		where := strings.Join(c.options.through[:i+1], ".")
		step, e := b.step(c, at, name, where)
		if step == nil {
			return nil, e
		}
		if step.Kind == Through {
			if step.Where != "" {
				return nil, fault("write the full path, through "+pathOf(step)+", and the condition here",
					"step %s of path %s is a through association with a condition of its own", where, path)
			}
			steps = append(steps, step.Through...)
		} else {
			steps = append(steps, step)
		}
		at = b.draft(step.Target.Type)
	}
	if at.model.Type != c.target {
		return nil, fault(fmt.Sprintf("make the field hold %s, or change the path", typeName(at.model.Type)),
			"path %s leads to %s, but the field holds %s", path, typeName(at.model.Type), typeName(c.target))
	}
	a := c.association(Through, at.model)
	a.Through = steps
	return a, nil
}

// step finds one step of the path of c. It returns neither association nor
// error if the step itself is at fault.
func (b *builder) step(c *candidate, at *draft, name, where string) (*Association, *ModelError) {
	if at.sealed {
		if a := at.model.Association(name); a != nil {
			return a, nil
		}
		return nil, b.noStep(at, name, where)
	}
	next := at.candidate(name)
	switch {
	case next == nil || next.dropped:
		return nil, b.noStep(at, name, where)
	case next.active:
		return nil, fault("let the path lead through associations that do not come back to it", "path goes in a circle at step %s, which leads through %s.%s itself", where, typeName(c.owner.model.Type), c.Name)
	case next.options.kind == Through:
		b.resolveThrough(next)
	}
	return next.result, nil
}

func (b *builder) noStep(at *draft, name, where string) *ModelError {
	return fault("write a path of association fields", "path leads nowhere at step %s, for %s has no association %s (%s)",
		where, typeName(at.model.Type), name, known("associations", at.associationNames()))
}

// pathOf writes the steps of a through association as a path.
func pathOf(a *Association) string { return strings.Join(associationNames(a.Through), ".") }

func associationNames(associations []*Association) []string {
	names := make([]string, len(associations))
	for i, a := range associations {
		names[i] = a.Name
	}
	return names
}
