package rowsync_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rowsync/rowsync/model"
)

// The generated models are made of four Go types, which have the same columns
// and a field of every shape for associations to each other. Which columns are
// the key, what refers to what, and which fields are associations at all is
// drawn anew for each case; see forest.

type Ash struct {
	Traits
	ToAsh branches[Ash]
	ToElm branches[Elm]
	ToFir branches[Fir]
	ToOak branches[Oak]
	AnElm Elm
	AFir  Fir
	AnOak Oak
}

type Elm struct {
	Traits
	ToAsh branches[Ash]
	ToElm branches[Elm]
	ToFir branches[Fir]
	ToOak branches[Oak]
	AFir  Fir
	AnOak Oak
}

type Fir struct {
	Traits
	ToAsh branches[Ash]
	ToElm branches[Elm]
	ToFir branches[Fir]
	ToOak branches[Oak]
	AnOak Oak
}

type Oak struct {
	Traits
	ToAsh branches[Ash]
	ToElm branches[Elm]
	ToFir branches[Fir]
	ToOak branches[Oak]
}

// branches are the fields for associations to one type.
type branches[T any] struct {
	One, Other *T
	List, More []*T
	Values     []T
}

// Traits are the columns. Each of KI, KT and KU is unique, and so is KI with KT.
// A and B are two references to other rows, by whichever of them: the model's
// case says.
type Traits struct {
	KI   int64     `db:"ki"`
	KT   string    `db:"kt"`
	KU   [16]byte  `db:"ku"`
	Name string    `db:"name"`
	Num  *int64    `db:"num"`
	AI   *int64    `db:"a_ki"`
	AT   *string   `db:"a_kt"`
	AU   *[16]byte `db:"a_ku"`
	BI   *int64    `db:"b_ki"`
	BT   *string   `db:"b_kt"`
	BU   *[16]byte `db:"b_ku"`
}

// String writes the row on a line.
func (r *Traits) String() string {
	var b strings.Builder
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		fmt.Fprintf(&b, " %s=%s", v.Type().Field(i).Tag.Get("db"), plain(v.Field(i)))
	}
	return b.String()[1:]
}

// plain writes the value of a column, - for null.
func plain(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "-"
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.String:
		return strconv.Quote(v.String())
	}
	return fmt.Sprintf("%x", v.Interface())
}

// species is the four types, by number.
var species = [4]reflect.Type{reflect.TypeFor[Ash](), reflect.TypeFor[Elm](), reflect.TypeFor[Fir](), reflect.TypeFor[Oak]()}

// forestTables are their tables, by number.
var forestTables = [4]string{"ashes", "elms", "firs", "oaks"}

// shapes are the fields of branches; those of a single row first.
var shapes = []struct {
	name        string
	many, boxed bool // a slice; of pointers
}{
	{"One", false, true},
	{"Other", false, true},
	{"List", true, true},
	{"More", true, true},
	{"Values", true, false},
}

// traits are the columns of a model of one of the types.
func traits() []*model.Column {
	t := reflect.TypeFor[Traits]()
	out := make([]*model.Column, t.NumField())
	for i := range out {
		f := t.Field(i)
		out[i] = &model.Column{Name: f.Tag.Get("db"), Field: "Traits." + f.Name, Index: []int{0, i}, Type: f.Type, Pos: i}
	}
	return out
}

// fieldFor returns a field of a type that can hold rows of another; false if there
// is none, for no type can hold itself.
func fieldFor(owner, target int, many bool, pick int) (*model.Association, bool) {
	a := &model.Association{Many: many}
	switch singles := 2; {
	case many:
		s := shapes[singles+pick%(len(shapes)-singles)]
		a.Name, a.ElemPointer = s.name, s.boxed
	case pick%(singles+1) < singles:
		a.Name, a.ElemPointer = shapes[pick%(singles+1)].name, true
	case target <= owner:
		return nil, false
	default:
		f := species[owner].Field(len(species) + target - owner)
		a.Name, a.Index = f.Name, f.Index
		return a, true
	}
	to, _ := species[owner].FieldByName("To" + species[target].Name())
	f, _ := to.Type.FieldByName(a.Name)
	a.Name, a.Index = a.Name+species[target].Name(), slices.Concat(to.Index, f.Index)
	return a, true
}
