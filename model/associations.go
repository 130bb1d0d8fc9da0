package model

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// candidate is a field that is an association, or may be one if a convention fits.
type candidate struct {
	*field
	shape
	owner *draft

	// result is the association, once it is resolved.
	result *Association
	// err is why it cannot be resolved.
	err *ModelError
	// dropped means that the field is no association after all.
	dropped bool
	// active means that the path of the association is being followed.
	active bool
	// failed means that it cannot be resolved because another one cannot.
	failed bool
}

// shape is what an association's field can hold.
type shape struct {
	target        reflect.Type
	many, pointer bool
}

// shapeOf returns the shape of a field's type: *T, []*T, T or []T for a struct T.
func shapeOf(t reflect.Type) (s shape, ok bool) {
	if t.Kind() == reflect.Slice {
		s.many = true
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		s.pointer = true
		t = t.Elem()
	}
	s.target = t
	return s, t.Kind() == reflect.Struct
}

// byConvention reports whether nothing but the field's type says that it is an
// association.
func (c *candidate) byConvention() bool { return !c.hasOptions }

// prefix is what a column that holds the key of the target begins with.
func (c *candidate) prefix() string { return snake(c.Name) }

// ownerPrefix is what a column that holds the key of the owner begins with.
func (c *candidate) ownerPrefix() string { return typePrefix(c.owner.model) }

func typePrefix(m *Model) string { return snake(baseName(m.Type.Name())) }

// resolve settles the association, but for one that leads through others.
func (c *candidate) resolve(target *Model) (*Association, *ModelError) {
	switch c.options.kind {
	case BelongsTo:
		return c.belongsTo(target)
	case HasOne, HasMany:
		return c.has(target)
	case ManyToMany:
		return c.manyToMany(target)
	}
	if c.many {
		return c.inferMany(target)
	}
	return c.inferOne(target)
}

func (c *candidate) belongsTo(target *Model) (*Association, *ModelError) {
	if c.many {
		return nil, fault(fmt.Sprintf("make it *%[1]s, or write has_many or many_to_many", typeName(c.target)), "belongs_to leads to one row, but the field is a slice")
	}
	l, e := c.link(c.owner.model, target, c.prefix())
	if e != nil {
		return nil, e
	}
	return c.linked(BelongsTo, target, l.refs, l.keys)
}

func (c *candidate) has(target *Model) (*Association, *ModelError) {
	kind := c.options.kind
	switch {
	case kind == HasOne && c.many:
		return nil, fault(fmt.Sprintf("make it *%s, or write has_many", typeName(c.target)), "has_one leads to one row, but the field is a slice")
	case kind == HasMany && !c.many:
		return nil, fault(fmt.Sprintf("make it []*%s, or write has_one", typeName(c.target)), "has_many leads to many rows, but the field is no slice")
	case kind == 0 && c.many:
		kind = HasMany
	case kind == 0:
		kind = HasOne
	}
	l, e := c.link(target, c.owner.model, c.ownerPrefix())
	if e != nil {
		return nil, e
	}
	return c.linked(kind, target, l.keys, l.refs)
}

// linked returns an association of two tables.
func (c *candidate) linked(kind Kind, target *Model, targetColumns, ownerColumns []*Column) (*Association, *ModelError) {
	for i, o := range ownerColumns {
		t := targetColumns[i]
		if !compatible(o.Type, t.Type) {
			return nil, fault("give the two one type, or name other columns with key= and ref=", "%s.%s is %s, but %s.%s is %s",
				typeName(c.owner.model.Type), o.Field, o.Type, typeName(target.Type), t.Field, t.Type)
		}
	}
	a := c.association(kind, target)
	a.OwnerColumns, a.TargetColumns = ownerColumns, targetColumns
	return a, nil
}

// association returns an association without its columns.
func (c *candidate) association(kind Kind, target *Model) *Association {
	return &Association{
		Kind: kind, Name: c.Name, Index: c.index,
		Owner: c.owner.model, Target: target,
		Many: c.many, ElemPointer: c.pointer,
		Where: c.options.where, Order: c.options.order,
	}
}

// inferOne finds the kind of an association to one row by the side that holds a key.
func (c *candidate) inferOne(target *Model) (*Association, *ModelError) {
	owner := c.owner.model
	belongs, noBelongs := c.link(owner, target, c.prefix())
	has, noHas := c.link(target, owner, c.ownerPrefix())
	// Within one table a key that the tag names is on both sides. A parent is
	// far more common than an only child.
	within := owner == target && c.options.key != nil
	switch {
	case noBelongs == nil && (noHas != nil || within):
		return c.belongsTo(target)
	case noHas == nil && noBelongs != nil:
		return c.has(target)
	case noHas == nil:
		return nil, fault("write belongs_to or has_one in the rowsync tag", "it may be belongs_to by %s.%s or has_one by %s.%s",
			typeName(owner.Type), belongs.keys[0].Name, typeName(target.Type), has.keys[0].Name)
	}
	return nil, fault(
		fmt.Sprintf(`write rowsync:"belongs_to,key=…" with a column of %s, or rowsync:"has_one,key=…" with a column of %s`, typeName(owner.Type), typeName(target.Type))+c.notOne(),
		"it cannot be belongs_to, for %s, nor has_one, for %s", noBelongs.Problem, noHas.Problem)
}

// inferMany takes an association to many rows for has_many.
func (c *candidate) inferMany(target *Model) (*Association, *ModelError) {
	a, e := c.has(target)
	if e == nil {
		return a, nil
	}
	return nil, fault(
		fmt.Sprintf(`write rowsync:"has_many,key=…" with a column of %s, or rowsync:"many_to_many=%s" with the join table`, typeName(target.Type), c.joinTable(target))+c.notOne(),
		"%s", e.Problem)
}

// notOne is the mend for a field that is no association, if nobody said it is.
func (c *candidate) notOne() string {
	if c.byConvention() {
		return `, or rowsync:"-" if it is no association`
	}
	return ""
}

// joinTable is the usual name of the join table.
func (c *candidate) joinTable(target *Model) tableName {
	return tableName{table: c.owner.model.Table + "_" + target.Table}
}

// link is a foreign key: the columns keys of one table hold the columns refs of
// another.
type link struct{ keys, refs []*Column }

// link finds the foreign key in holder that refers to referred. Its columns
// have the prefix in their names unless the tag names them.
func (c *candidate) link(holder, referred *Model, prefix string) (l link, e *ModelError) {
	l.refs = referred.Key
	if c.options.ref != nil {
		if l.refs, e = findColumns(referred, c.options.ref); e != nil {
			e.Mend = "name one of them with ref="
			return l, e
		}
	}
	names := c.options.key
	if names == nil {
		names = defaultKey(holder, l.refs, prefix)
	}
	if l.keys, e = findColumns(holder, names); e != nil {
		e.Mend = "name one of them with key="
		return l, e
	}
	if len(l.keys) != len(l.refs) {
		return l, fault("name as many with key= as with ref=", "key %s has %d columns, but it refers to %d: %s",
			strings.Join(names, ", "), len(l.keys), len(l.refs), strings.Join(columnNames(l.refs), ", "))
	}
	if slices.Equal(l.keys, l.refs) {
		return l, fault("name another column with key=", "column %s of %s would refer to itself", strings.Join(names, ", "), typeName(holder.Type))
	}
	return l, nil
}

// defaultKey names the columns of holder that refer to refs.
func defaultKey(holder *Model, refs []*Column, prefix string) []string {
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = foreignKey(prefix, ref.Name)
	}
	// A key that is not called id is often referred to as author_id all the same.
	if len(refs) == 1 && holder.Column(names[0]) == nil && holder.Column(prefix+"_id") != nil {
		names[0] = prefix + "_id"
	}
	return names
}

func findColumns(m *Model, names []string) ([]*Column, *ModelError) {
	columns := make([]*Column, len(names))
	for i, name := range names {
		if columns[i] = m.Column(name); columns[i] == nil {
			return nil, fault("", "%s", unknownColumn(m, name))
		}
	}
	return columns, nil
}

func (c *candidate) manyToMany(target *Model) (*Association, *ModelError) {
	owner := c.owner.model
	switch {
	case !c.many:
		return nil, fault(fmt.Sprintf("make it []*%s", typeName(c.target)), "many_to_many leads to many rows, but the field is no slice")
	case c.options.join == nil:
		return nil, fault(fmt.Sprintf(`write rowsync:"many_to_many=%s"`, c.joinTable(target)), "no table for many to many")
	}
	name := c.options.join.withSchema(owner.Schema)
	join := &Join{Schema: name.schema, Table: name.table}
	var e *ModelError
	if join.OwnerColumns, e = joinColumns("key", c.options.key, owner); e != nil {
		return nil, e
	}
	if join.TargetColumns, e = joinColumns("ref", c.options.ref, target); e != nil {
		return nil, e
	}
	if slices.Equal(join.OwnerColumns, join.TargetColumns) {
		return nil, fault(fmt.Sprintf("name them with key=, which refers to %s, and ref=, which refers to the field's rows", typeName(owner.Type)),
			"both ends would be column %s of %s", strings.Join(join.OwnerColumns, ", "), name.table)
	}
	a := c.association(ManyToMany, target)
	a.OwnerColumns, a.TargetColumns, a.Join = owner.Key, target.Key, join
	return a, nil
}

// joinColumns names the columns of a join table that refer to the key of m.
func joinColumns(option string, names []string, m *Model) ([]string, *ModelError) {
	if names == nil {
		for _, k := range m.Key {
			names = append(names, foreignKey(typePrefix(m), k.Name))
		}
	}
	if len(names) != len(m.Key) {
		return nil, fault(fmt.Sprintf("name as many with %s=", option), "%s names %d columns, but the primary key of %s has %d: %s",
			option, len(names), typeName(m.Type), len(m.Key), strings.Join(columnNames(m.Key), ", "))
	}
	return names, nil
}
