package rowsync

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// argID names the content of a list of parameters: of the first, and of those
// after it. Two lists with equal names are the same to PostgreSQL.
type argID struct {
	typ     reflect.Type // nil for nil
	content string
	rest    any // an argID, or nil
}

// fixArgs returns a copy of parameters that nobody else can alter, and what names
// its content; false, with a copy of the list alone, if one of them is of a type
// whose content is not known.
func fixArgs(args []any) (fixed []any, id any, ok bool) {
	fixed = make([]any, len(args))
	for i, arg := range slices.Backward(args) {
		if arg == nil {
			id = argID{rest: id}
			continue
		}
		w := argWriter{}
		v := w.fix(reflect.ValueOf(arg), 0)
		if w.unknown {
			return slices.Clone(args), nil, false
		}
		fixed[i] = v.Interface()
		id = argID{v.Type(), w.String(), id}
	}
	return fixed, id, true
}

// argWriter writes the content of a parameter: values of one type have equal
// texts if and only if they are the same.
type argWriter struct {
	strings.Builder
	unknown bool
}

// maxDepth is how far pointers, slices and arrays may lead into each other.
const maxDepth = 8

var timeType = reflect.TypeFor[time.Time]()

// fix writes a value and returns a copy of it.
func (w *argWriter) fix(v reflect.Value, depth int) reflect.Value {
	if v.Type() == timeType {
		t, _ := reflect.TypeAssert[time.Time](v)
		zone, offset := t.Zone() // a timestamp without time zone takes the clock's reading there
		w.write(strconv.FormatInt(t.Unix(), 10), strconv.Itoa(t.Nanosecond()), strconv.Quote(zone), strconv.Itoa(offset))
		return v
	}
	switch v.Kind() {
	case reflect.Bool:
		w.write(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.write(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		w.write(strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		w.write(strconv.FormatUint(math.Float64bits(v.Float()), 16))
	case reflect.String:
		w.write(strconv.Quote(v.String()))
	case reflect.Pointer, reflect.Slice, reflect.Array:
		if depth < maxDepth {
			return w.fixBelow(v, depth+1)
		}
		w.unknown = true
	default:
		w.unknown = true
	}
	return v
}

// fixBelow is fix for what leads to other values.
func (w *argWriter) fixBelow(v reflect.Value, depth int) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if v.Kind() != reflect.Array && v.IsNil() {
		w.write("nil")
		return out
	}
	if v.Kind() == reflect.Pointer {
		w.write("&")
		to := reflect.New(v.Type().Elem())
		to.Elem().Set(w.fix(v.Elem(), depth))
		out.Set(to.Convert(v.Type()))
		return out
	}
	w.write(strconv.Itoa(v.Len()))
	if v.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	for i := 0; i < v.Len() && !w.unknown; i++ {
		out.Index(i).Set(w.fix(v.Index(i), depth))
	}
	return out
}

func (w *argWriter) write(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
		w.WriteByte(' ')
	}
}
