package model

import (
	"fmt"
	"reflect"
)

// Model is what a Go struct type is in the database. A Model that a Registry
// returned is complete and is not altered any more; it may be read from any
// goroutine.
type Model struct {
	// Type is the struct type.
	Type reflect.Type
	// Schema and Table name the table, unquoted.
	Schema, Table string
	// Key lists the columns that identify a row, in order; never empty.
	Key []*Column
	// Columns lists every column the struct has a field for, in field order,
	// those of Key included.
	Columns []*Column
	// Associations lists the associations, in field order.
	Associations []*Association
}

// Name returns the schema-qualified name of the table, unquoted.
func (m *Model) Name() string { return m.Schema + "." + m.Table }

// String returns the name of the type with that of its table: "Post (public.posts)".
func (m *Model) String() string { return fmt.Sprintf("%s (%s)", typeName(m.Type), m.Name()) }

// Column returns the column of that name, or nil.
func (m *Model) Column(name string) *Column {
	for _, c := range m.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Association returns the association that the field of that name holds, or nil.
func (m *Model) Association(name string) *Association {
	for _, a := range m.Associations {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Column is a column together with the field that holds it.
type Column struct {
	// Name is the column's name, unquoted.
	Name string
	// Field is the Go field's name, with the path of embedded structs: "Meta.CreatedAt".
	Field string
	// Index leads to the field, as for [reflect.Value.FieldByIndex]. No
	// embedded pointer lies on the way.
	Index []int
	// Type is the field's type.
	Type reflect.Type
	// Pos is the column's place in Model.Columns.
	Pos int
}

// Kind is the kind of an Association.
type Kind uint8

// The kinds of association.
const (
	// BelongsTo: the owner holds the key of the one target row.
	BelongsTo Kind = iota + 1
	// HasOne: at most one target row holds the key of the owner.
	HasOne
	// HasMany: any number of target rows hold the key of the owner.
	HasMany
	// ManyToMany: the rows of a join table hold the keys of owner and target.
	ManyToMany
	// Through: the rows at the end of a path of other associations.
	Through
)

// String names the kind as it is written in struct tags, such as "belongs_to".
func (k Kind) String() string {
	switch k {
	case BelongsTo:
		return "belongs_to"
	case HasOne:
		return "has_one"
	case HasMany:
		return "has_many"
	case ManyToMany:
		return "many_to_many"
	case Through:
		return "through"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Association leads from the rows of one Model, the owners, to rows of another,
// the targets.
type Association struct {
	Kind Kind
	// Name is the name of the owner's field that holds the target rows.
	// It is unique in the owner, also among the fields of embedded structs.
	Name string
	// Index leads to that field, as for Column.
	Index []int
	// Owner and Target are the models at the two ends.
	Owner, Target *Model
	// Many says whether the field is a slice. ElemPointer says whether the
	// field (or the slice's elements) are pointers to Target.Type rather than
	// values.
	Many, ElemPointer bool

	// OwnerColumns and TargetColumns pair the columns that are equal when a
	// target belongs to an owner: the foreign key's columns with the columns
	// it refers to. For ManyToMany each side is what its own side of the join
	// table refers to. Empty for Through.
	OwnerColumns, TargetColumns []*Column
	// Join is the join table; only for ManyToMany.
	Join *Join
	// Through is the path to the targets; only for Through. None of its
	// elements is itself of kind Through: such steps are replaced by their own
	// path. Each element counts with its own Where, but not with its Order.
	Through []*Association

	// Where is a condition in SQL on the target's columns, or "".
	Where string
	// Order is what follows ORDER BY in SQL, on the target's columns, or "".
	Order string
}

// String returns the owner and the field: "Post.Tags".
func (a *Association) String() string {
	if a.Owner == nil {
		return a.Name
	}
	return typeName(a.Owner.Type) + "." + a.Name
}

// models lists the models that the association leads to, those on its way included.
func (a *Association) models() []*Model {
	var models []*Model
	for _, step := range a.Through {
		if step != nil {
			models = append(models, step.Target)
		}
	}
	return append(models, a.Target)
}

// Join is the table between the two ends of a ManyToMany association.
type Join struct {
	// Schema and Table name the join table, unquoted.
	Schema, Table string
	// OwnerColumns and TargetColumns are the join table's columns that refer
	// to Association.OwnerColumns and Association.TargetColumns, in their order.
	OwnerColumns, TargetColumns []string
}

// Name returns the schema-qualified name of the join table, unquoted.
func (j *Join) Name() string { return j.Schema + "." + j.Table }
