package rowsync_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/model"
)

// picture is a row with what it holds, as a tree of texts: of a value that is
// held, or of what it must be.
type picture struct {
	row  string
	held []album
}

// album is the rows of one association.
type album struct {
	name    string
	ordered bool
	state   string // "" or what is odd about the field
	rows    []picture
}

// text writes a picture; if sorted, then rows in no order are sorted.
func (p picture) text(sorted bool, indent string) string {
	var b strings.Builder
	b.WriteString(p.row)
	indent += "  "
	for _, a := range p.held {
		fmt.Fprintf(&b, "\n%s%s%s", indent, a.name, a.state)
		rows := textsOf(a.rows, sorted, indent+"  ")
		if sorted && !a.ordered {
			slices.Sort(rows)
		}
		for _, r := range rows {
			b.WriteString("\n" + indent + "  " + r)
		}
	}
	return b.String()
}

func textsOf(pictures []picture, sorted bool, indent string) []string {
	out := make([]string, len(pictures))
	for i, p := range pictures {
		out[i] = p.text(sorted, indent)
	}
	return out
}

// paint makes the picture of a row as it must be.
func (v *verdicts) paint(r *judged, t *model.Tree) picture {
	p := picture{row: r.String()}
	for _, b := range t.Branches {
		a := b.Association
		album := album{name: a.Name, ordered: a.Order != "" || !a.Many}
		for _, target := range v.targets(r, a) {
			album.rows = append(album.rows, v.paint(target, &b.Tree))
		}
		p.held = append(p.held, album)
	}
	return p
}

// photograph makes the picture of a struct that is held.
func photograph(row reflect.Value, t *model.Tree) picture {
	p := picture{row: traitsOf(row).String()}
	for _, a := range t.Model.Associations {
		f := row.FieldByIndex(a.Index)
		b := t.Branch(a.Name)
		if b == nil {
			if !f.IsZero() {
				p.held = append(p.held, album{name: a.Name, state: " is loaded, but nobody asked for it"})
			}
			continue
		}
		album := album{name: a.Name, ordered: a.Order != "" || !a.Many}
		if f.Kind() == reflect.Slice && f.IsNil() {
			album.state = " is nil"
		}
		for _, target := range structsOf(f) {
			album.rows = append(album.rows, photograph(target, &b.Tree))
		}
		p.held = append(p.held, album)
	}
	// Branches are in the order of Model.Associations too.
	return p
}

// traitsOf returns the columns of a struct.
func traitsOf(row reflect.Value) *Traits {
	t, _ := reflect.TypeAssert[Traits](row.Field(0))
	return &t
}

// structsOf returns the structs of a field, or of a value at the root.
func structsOf(v reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		var out []reflect.Value
		for i := range v.Len() {
			out = append(out, structsOf(v.Index(i))...)
		}
		return out
	case reflect.Map:
		var out []reflect.Value
		for each := v.MapRange(); each.Next(); {
			out = append(out, structsOf(each.Value())...)
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return []reflect.Value{v.Elem()}
	}
	if v.IsZero() {
		return nil
	}
	return []reflect.Value{v}
}

// photographs are the pictures of all rows of a value.
func photographs(value any, t *model.Tree) []picture {
	var out []picture
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Map {
		for _, row := range structsOf(v) {
			out = append(out, photograph(row, t))
		}
		return out
	}
	for each := v.MapRange(); each.Next(); {
		for _, row := range structsOf(each.Value()) {
			p := photograph(row, t)
			if key := keyIn(each.Key(), traitsOf(row)); key != each.Key().Interface() {
				p.row = fmt.Sprintf("under the key %v: %s", each.Key(), p.row)
			}
			out = append(out, p)
		}
	}
	return out
}

// keyIn is the key that a row has in a map with keys such as k.
func keyIn(k reflect.Value, r *Traits) any {
	switch k.Interface().(type) {
	case int64:
		return numberKey(r)
	case string:
		return textKey(r)
	case pairKey:
		return pairKeyOf(r)
	}
	return uuidKey(r)
}
