package mapper

import (
	"reflect"

	"github.com/rowsync/rowsync/model"
)

// Targets are read and set in the four shapes that a field may have: a slice of
// pointers or of values, a pointer, a value. Here they are always structs that
// are addressable, so that pointers to them can be shared.

// TargetsOf returns the rows that a row holds of an association.
func TargetsOf(row reflect.Value, a *model.Association) []reflect.Value {
	field := row.FieldByIndex(a.Index)
	if a.Many {
		return Elements(field)
	}
	if a.ElemPointer {
		if field.IsNil() {
			return nil
		}
		return []reflect.Value{field.Elem()}
	}
	if field.IsZero() {
		return nil
	}
	return []reflect.Value{Addressable(field)}
}

// SetTargets sets a row's field of an association, in a slice of its own. The
// row must be addressable.
func SetTargets(row reflect.Value, a *model.Association, targets []reflect.Value) {
	field := row.FieldByIndex(a.Index)
	switch {
	case a.Many:
		field.Set(Slice(field.Type(), targets))
	case len(targets) == 0:
		field.SetZero()
	case a.ElemPointer:
		field.Set(targets[0].Addr())
	default:
		field.Set(targets[0])
	}
}

// Elements returns the structs in a slice of structs or of pointers to them;
// nil pointers are left out.
func Elements(slice reflect.Value) []reflect.Value {
	pointers := slice.Type().Elem().Kind() == reflect.Pointer
	out := make([]reflect.Value, 0, slice.Len())
	for i := range slice.Len() {
		e := slice.Index(i)
		if pointers {
			if e.IsNil() {
				continue
			}
			e = e.Elem()
		}
		out = append(out, e)
	}
	return out
}

// Slice makes a slice of the type, which is never nil, of structs.
func Slice(t reflect.Type, rows []reflect.Value) reflect.Value {
	pointers := t.Elem().Kind() == reflect.Pointer
	s := reflect.MakeSlice(t, len(rows), len(rows))
	for i, r := range rows {
		if pointers {
			r = r.Addr()
		}
		s.Index(i).Set(r)
	}
	return s
}

// Addressable returns v, or a copy of it that is addressable.
func Addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// Canonical makes Keys from texts that PostgreSQL wrote of some columns.
type Canonical []func(string) string

// Canon returns the Canonical of columns of the Model.
func (b *Mapper) Canon(columns []*model.Column) Canonical {
	out := make(Canonical, len(columns))
	for i, c := range columns {
		out[i] = Canon(b.Table.Column(c.Name))
	}
	return out
}

// Key returns the Key of texts, or false if one is null.
func (c Canonical) Key(texts []*string) (Key, bool) {
	out := make([]string, len(texts))
	for i, t := range texts {
		if t == nil {
			return "", false
		}
		if out[i] = *t; c[i] != nil {
			out[i] = c[i](*t)
		}
	}
	return Join(out...), true
}
