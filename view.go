package rowsync

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
)

// view is a value as Sync sees it: the structs of a model at its top.
type view struct {
	value reflect.Value // of a concrete type
	model *model.Model
	elem  reflect.Type // the struct type
}

// errNoRows is the reason why a value of another shape is no view.
var errNoRows = errors.New("a struct of a model, a pointer to one, or a slice or map of either, is wanted")

// viewOf returns the view of a value: a struct of a model, a pointer to one, a
// slice of either, or a map of either by primary key.
func (c *Client) viewOf(v reflect.Value) (view, error) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return view{}, fmt.Errorf("nil has no type: %w", errNoRows)
	}
	t := v.Type()
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return view{}, fmt.Errorf("%s holds no rows: %w", v.Type(), errNoRows)
	}
	m, err := c.opts.Models.Of(t)
	if err != nil {
		return view{}, err
	}
	if v.Kind() == reflect.Map {
		if err := keyedBy(v.Type().Key(), m); err != nil {
			return view{}, err
		}
	}
	return view{v, m, t}, nil
}

// keyedBy checks that maps with keys of type t can hold rows of m by their
// primary key: it is the type of the key's field, or a struct that has each of
// several by its name.
func keyedBy(t reflect.Type, m *model.Model) error {
	fits := func(key, field reflect.Type) bool {
		return key == field || key.Kind() == field.Kind() && field.ConvertibleTo(key)
	}
	if len(m.Key) == 1 {
		if fits(t, m.Key[0].Type) {
			return nil
		}
		return fmt.Errorf("map of %s has keys of type %s: key it by the primary key, %s of type %s", m, t, m.Key[0].Field, m.Key[0].Type)
	}
	for _, c := range m.Key {
		name := fieldName(c)
		if t.Kind() == reflect.Struct {
			if f, ok := t.FieldByName(name); ok && f.IsExported() && fits(f.Type, c.Type) {
				continue
			}
		}
		return fmt.Errorf("map of %s has keys of type %s: key it by a struct with the fields of the primary key; it lacks %s of type %s", m, t, name, c.Type)
	}
	if t.NumField() != len(m.Key) {
		return fmt.Errorf("map of %s has keys of type %s, which has further fields than those of the primary key: leave them out", m, t)
	}
	return nil
}

// fieldName is the name of a column's field without the embedded structs it is in.
func fieldName(c *model.Column) string { return c.Field[strings.LastIndexByte(c.Field, '.')+1:] }

// keyOf returns the map key of a row.
func (v view) keyOf(row reflect.Value) reflect.Value {
	t := v.value.Type().Key()
	if len(v.model.Key) == 1 {
		return row.FieldByIndex(v.model.Key[0].Index).Convert(t)
	}
	key := reflect.New(t).Elem()
	for _, c := range v.model.Key {
		f := key.FieldByName(fieldName(c))
		f.Set(row.FieldByIndex(c.Index).Convert(f.Type()))
	}
	return key
}

// rows returns the structs at the top, each addressable. Structs that the value
// holds as they are, in a map or at the top, are copied anew by each call.
func (v view) rows() []reflect.Value {
	switch v.value.Kind() {
	case reflect.Slice:
		return mapper.Elements(v.value)
	case reflect.Map:
		return v.mapRows()
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

func (v view) mapRows() []reflect.Value {
	rows := make([]reflect.Value, 0, v.value.Len())
	for each := v.value.MapRange(); each.Next(); {
		row := each.Value()
		if row.Kind() != reflect.Pointer {
			rows = append(rows, mapper.Addressable(row))
		} else if !row.IsNil() {
			rows = append(rows, row.Elem())
		}
	}
	return rows
}

// list reports whether the value holds any number of rows.
func (v view) list() bool {
	return v.value.Kind() == reflect.Slice || v.value.Kind() == reflect.Map
}

// with returns a value of the same shape that holds rows. A single value that
// no row is left for stays as it is.
func (v view) with(rows []reflect.Value) reflect.Value {
	switch v.value.Kind() {
	case reflect.Slice:
		return mapper.Slice(v.value.Type(), rows)
	case reflect.Map:
		return v.mapWith(rows)
	}
	switch {
	case len(rows) == 0:
		return v.value
	case v.value.Kind() == reflect.Pointer:
		return rows[0].Addr()
	}
	return rows[0]
}

func (v view) mapWith(rows []reflect.Value) reflect.Value {
	m := reflect.MakeMapWithSize(v.value.Type(), len(rows))
	for _, row := range rows {
		key := v.keyOf(row)
		if m.Type().Elem().Kind() == reflect.Pointer {
			row = row.Addr()
		}
		m.SetMapIndex(key, row)
	}
	return m
}
