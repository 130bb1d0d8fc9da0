package rowsync

import (
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
)

// view is a value as Sync sees it: the structs of a model at its top.
type view struct {
	value reflect.Value
	elem  reflect.Type // the struct type
}

// viewOf returns the view of a value: a struct, a pointer to one, or a slice of
// either.
func viewOf(v reflect.Value) (view, error) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return view{}, fmt.Errorf("nil has no type: pass a struct, a pointer to one, or a slice of either")
	}
	t := v.Type()
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return view{}, fmt.Errorf("%s is not a struct, a pointer to one, or a slice of either", v.Type())
	}
	return view{v, t}, nil
}

// rows returns the structs at the top, each addressable.
func (v view) rows() []reflect.Value {
	switch v.value.Kind() {
	case reflect.Slice:
		return mapper.Elements(v.value)
	case reflect.Pointer:
		if v.value.IsNil() {
			return nil
		}
		return []reflect.Value{v.value.Elem()}
	}
	if v.value.IsZero() {
		return nil
	}
	return []reflect.Value{mapper.Addressable(v.value)}
}

// list reports whether the value is a slice.
func (v view) list() bool { return v.value.Kind() == reflect.Slice }

// with returns a value of the same shape that holds rows. A single value that
// no row is left for stays as it is.
func (v view) with(rows []reflect.Value) reflect.Value {
	switch {
	case v.list():
		return mapper.Slice(v.value.Type(), rows)
	case len(rows) == 0:
		return v.value
	case v.value.Kind() == reflect.Pointer:
		return rows[0].Addr()
	}
	return rows[0]
}
