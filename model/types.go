package model

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"strings"
	"time"
)

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	timeType    = reflect.TypeFor[time.Time]()
)

// converts reports whether a type brings its own conversion from or to the
// database, as [sql.Scanner], [driver.Valuer] or one of pgx's ScanXxx methods.
func converts(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	if p.Implements(scannerType) || p.Implements(valuerType) {
		return true
	}
	for m := range p.Methods() {
		if strings.HasPrefix(m.Name, "Scan") {
			return true
		}
	}
	return false
}

// unsupported reports whether no column can be read into a type.
func unsupported(t reflect.Type) bool {
	// A type may contain itself, so the descent has an end.
	for range 8 {
		if converts(t) {
			return false
		}
		switch t.Kind() {
		case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
			return true
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return false
		}
	}
	return false
}

// identifies reports whether values of a type can identify a row.
func identifies(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if converts(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return t.Elem().Kind() == reflect.Uint8
	case reflect.Map, reflect.Interface, reflect.Pointer:
		return false
	}
	return !unsupported(t)
}

// class is what kind of column a type is surely for.
type class uint8

const (
	unsure class = iota
	integer
	decimal
	boolean
	text
	bytes
	uuid
	instant
)

// classOf returns the class of a type, and unsure where the type converts itself.
func classOf(t reflect.Type) class {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v, ok := nullable(t); ok {
		t = v
	}
	switch {
	case t == timeType:
		return instant
	case t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8:
		return uuid
	case converts(t):
		return unsure
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer
	case reflect.Float32, reflect.Float64:
		return decimal
	case reflect.Bool:
		return boolean
	case reflect.String:
		return text
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytes
		}
	}
	return unsure
}

// nullable returns the type of the value within a struct of a value and a
// boolean Valid, as sql.NullInt64, sql.Null[T] and pgtype.Text are.
func nullable(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct || t.NumField() != 2 {
		return nil, false
	}
	for i := range 2 {
		if f := t.Field(i); f.Name == "Valid" && f.Type.Kind() == reflect.Bool {
			return t.Field(1 - i).Type, true
		}
	}
	return nil, false
}

// compatible reports whether columns of the two types may be equal; false is
// said only if it is certain.
func compatible(a, b reflect.Type) bool {
	x, y := classOf(a), classOf(b)
	if x == y || x == unsure || y == unsure {
		return true
	}
	if x > y {
		x, y = y, x
	}
	switch x {
	case integer:
		return y == decimal
	case text: // pgx reads these into strings too
		return true
	case bytes:
		return y == uuid
	}
	return false
}
