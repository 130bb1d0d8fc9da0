package rowsync_test

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
)

// unordered are the fields whose order the database does not say: they are
// compared as sets.
var unordered = map[string]bool{
	"Person.Posts": true, "Person.Fans": true, "Person.AllTags": true,
	"Post.Tags": true, "Post.HotTags": true, "Post.Comments": true,

	"Shop.Goods": true, "Shop.Cheap": true, "Shop.NotCheap": true, "Shop.Round": true, "Shop.Unpriced": true, "Shop.Lower": true,
	"Shop.Partners": true, "Shop.Makers": true, "Shop.MakersKeep": true, "Shop.Owners": true, "Shop.Bosses": true,
}

// show writes a value so that equal values, and only they, have equal texts. An
// empty list differs from one that is not loaded.
func show(v any) string {
	var b strings.Builder
	showValue(&b, reflect.ValueOf(v), "", "")
	return b.String()
}

func showValue(b *strings.Builder, v reflect.Value, indent, field string) {
	switch v.Kind() {
	case reflect.Invalid:
		b.WriteString("nil")
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		showValue(b, v.Elem(), indent, "")
	case reflect.Slice:
		if v.IsNil() {
			b.WriteString("not loaded")
			return
		}
		lines := make([]string, v.Len())
		for i := range lines {
			var e strings.Builder
			showValue(&e, v.Index(i), indent+"  ", "")
			lines[i] = e.String()
		}
		if unordered[field] {
			sort.Strings(lines)
		}
		b.WriteString("[")
		for _, l := range lines {
			b.WriteString("\n" + indent + "  " + l)
		}
		b.WriteString("]")
	case reflect.Map:
		lines := make([]string, 0, v.Len())
		for each := v.MapRange(); each.Next(); {
			var e strings.Builder
			fmt.Fprintf(&e, "%v: ", each.Key().Interface())
			showValue(&e, each.Value(), indent+"  ", "")
			lines = append(lines, e.String())
		}
		sort.Strings(lines)
		fmt.Fprintf(b, "map[\n%s  %s]", indent, strings.Join(lines, "\n"+indent+"  "))
	case reflect.Struct:
		fmt.Fprintf(b, "%s{", v.Type().Name())
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if i > 0 {
				b.WriteString(" ")
			}
			b.WriteString(f.Name + ":")
			showValue(b, v.Field(i), indent+"  ", v.Type().Name()+"."+f.Name)
		}
		b.WriteString("}")
	default:
		fmt.Fprintf(b, "%v", v.Interface())
	}
}

// difference returns the first lines in which two shown values differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var b strings.Builder
	for i, shown := 0, 0; shown < 6 && (i < len(g) || i < len(w)); i++ {
		var x, y string
		if i < len(g) {
			x = g[i]
		}
		if i < len(w) {
			y = w[i]
		}
		if x != y {
			fmt.Fprintf(&b, "  held  %s\n  fresh %s\n", x, y)
			shown++
		}
	}
	return b.String()
}
