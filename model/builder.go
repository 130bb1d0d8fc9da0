package model

import (
	"errors"
	"reflect"
)

// builder makes the models of a type and of all types that it reaches. It goes
// in rounds: describe each type by itself, resolve the associations between
// two tables, then those that lead through others.
type builder struct {
	// existing returns the finished model of a type, or nil.
	existing func(reflect.Type) *Model
	// drafts holds every type that was looked at, also those that turned out
	// to be no models.
	drafts map[reflect.Type]*draft
	// reached lists the drafts that become models, in the order they were reached.
	reached []*draft
	inReach map[*draft]bool
}

// build returns the model of root followed by those it reaches, or every
// mistake in them.
func (b *builder) build(root reflect.Type) ([]*Model, error) {
	d := b.draft(root)
	b.reach(d)
	if len(d.model.Key) == 0 {
		d.fail("", keyless(d.model, "it"))
	}
	for i := 0; i < len(b.reached); i++ { // reached grows meanwhile
		for _, c := range b.reached[i].candidates {
			b.resolve(c)
		}
	}
	for _, d := range b.reached {
		for _, c := range d.candidates {
			if c.options.kind == Through && !c.dropped {
				b.resolveThrough(c)
			}
		}
	}
	return b.finish()
}

// draft returns the draft of a type.
func (b *builder) draft(t reflect.Type) *draft {
	d := b.drafts[t]
	if d != nil {
		return d
	}
	if m := b.existing(t); m != nil {
		d = &draft{model: m, sealed: true}
	} else {
		d = describe(t)
	}
	b.drafts[t] = d
	return d
}

// reach notes that a draft becomes a model.
func (b *builder) reach(d *draft) {
	if d.sealed || b.inReach[d] {
		return
	}
	b.inReach[d] = true
	b.reached = append(b.reached, d)
}

// resolve settles an association between two tables and reaches its target.
func (b *builder) resolve(c *candidate) {
	if c.options.kind == Through {
		return
	}
	if len(c.owner.model.Key) == 0 {
		c.failed = true // that is said of the owner
		return
	}
	target := b.draft(c.target)
	if len(target.model.Key) == 0 {
		if c.byConvention() {
			c.dropped = true
			return
		}
		c.err = keyless(target.model, typeName(c.target))
		return
	}
	c.result, c.err = c.resolve(target.model)
	if c.result != nil || !c.byConvention() {
		b.reach(target)
	}
}

// finish collects the associations into the models, or the mistakes.
func (b *builder) finish() ([]*Model, error) {
	var (
		models []*Model
		errs   []error
	)
	for _, d := range b.reached {
		for _, e := range d.errs {
			errs = append(errs, e)
		}
		for _, c := range d.candidates {
			switch {
			case c.err != nil:
				errs = append(errs, c.err.at(d.model.Type, c.path))
			case c.result != nil:
				d.model.Associations = append(d.model.Associations, c.result)
			}
		}
		models = append(models, d.model)
	}
	return models, errors.Join(errs...)
}

// candidate returns the draft's candidate of that name, or nil.
func (d *draft) candidate(name string) *candidate {
	for _, c := range d.candidates {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// associationNames lists the associations of the draft as far as they are known.
func (d *draft) associationNames() []string {
	if d.sealed {
		return associationNames(d.model.Associations)
	}
	var names []string
	for _, c := range d.candidates {
		if !c.dropped {
			names = append(names, c.Name)
		}
	}
	return names
}
