package pgtrigger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

// Names that need quoting, of schemas, tables and columns, with statement
// triggers, with row triggers, and in a namespace that needs it too.
func TestQuotedNames(t *testing.T) {
	long := strings.Repeat("ü", 31) + "x" // 63 bytes
	for _, name := range []string{"0xabcd", "camelCase", `it's "quoted"`, "dot.ted.", "naïve 🎉", `back\slash $$ %s`, "select", long} {
		for _, rows := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s rows %v", name, rows), func(t *testing.T) {
				n := ident(name)
				tail := ")"
				if rows {
					tail = fmt.Sprintf(") partition by list (k); create table %s.part partition of %s.%s for values in (1, 2)", n, n, n)
				}
				tab := &capture.Table{Schema: name, Name: name, Key: []string{name}, Columns: []string{"V"}, Compared: []string{"w.w"}}
				p := watching(t, fmt.Sprintf(`create schema %[1]s; create table %[1]s.%[1]s (%[1]s int, "V" text, "w.w" text, k int`, n)+tail,
					Options{Namespace: name + "!"[:min(1, 63-len(name))]}, tab)
				p.awaitAsleep()
				got := p.told(fmt.Sprintf(`insert into %[1]s.%[1]s values (7, 'a', 'b', 1); update %[1]s.%[1]s set k = 2, "V" = 'c'; delete from %[1]s.%[1]s; truncate %[1]s.%[1]s`, n))
				want := fmt.Sprintf("insert %[1]s ∅→(7,a,=b); update %[1]s (7,a,=b)→(7,c,=b); delete %[1]s (7,c,=b)→∅; truncate %[1]s ∅→∅", tab)
				if got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				p.expectResets(0)
				script, err := p.src.SQL(t.Context(), tablesOf(tab))
				if err != nil {
					t.Fatal(err)
				}
				p.w.do(script) // which finds everything there
				if err := p.src.Verify(t.Context(), tablesOf(tab)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
