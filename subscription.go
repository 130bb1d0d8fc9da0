package rowsync

import (
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// Subscription is one thing that a Subscriber follows.
type Subscription struct {
	Table *Table
	// Columns and Key say which rows: those that hold Key in Columns. Both are
	// nil for every row of the table.
	Columns []string
	Key     []string
}

// String describes the subscription for logs.
func (s Subscription) String() string {
	if s.Columns == nil {
		return s.Table.String()
	}
	return fmt.Sprintf("%s where %v = %v", s.Table, s.Columns, s.Key)
}

func describe(it route.Item) Subscription {
	s := Subscription{Table: it.Table.Capture}
	if it.Lookup != route.WholeTable {
		s.Columns = it.Table.LookupColumns(it.Lookup)
		s.Key = it.Key.Split(len(s.Columns))
	}
	return s
}

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
