package model

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{``, []string{``}},
		{`a`, []string{`a`}},
		{`a,b`, []string{`a`, `b`}},
		{`,a,,`, []string{``, `a`, ``, ``}},
		{`key=(a,b),ref=(c,d)`, []string{`key=(a,b)`, `ref=(c,d)`}},
		{`where=x = any(array['a,b',')']),order=y`, []string{`where=x = any(array['a,b',')'])`, `order=y`}},
		{`where=x = 'it''s, or',b`, []string{`where=x = 'it''s, or'`, `b`}},
		{`"a,b","c""d,e"`, []string{`"a,b"`, `"c""d,e"`}},
	} {
		got, err := split(c.in, ',')
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("split(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{`(`, `)`, `[`, `]`, `(]`, `"`, `'`, `'a''`, `(")`, `a,(b`} {
		if got, err := split(in, ','); err == nil {
			t.Errorf("split(%q) = %q, want an error", in, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{``, `a,b`, `key=(a,b),where=x in ('a,b', "c""d")`, `a[1,2],`, `'`, `(]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pieces, err := split(s, ',')
		if err != nil {
			return
		}
		if got := strings.Join(pieces, ","); got != s {
			t.Fatalf("split(%q) joins to %q", s, got)
		}
		for _, piece := range pieces {
			// A piece has no comma at its top level, and is whole by itself.
			if again, err := split(piece, ','); err != nil || len(again) != 1 {
				t.Fatalf("split(%q) has the piece %q, which is %q, %v", s, piece, again, err)
			}
		}
	})
}

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{
		``, `-`, `key`, `table="a"."b"`, `belongs_to,key=a,ref=b`, `many_to_many=s.t,key=(a,b),ref="c d"`,
		`through=A.B,where=x in ('a','b'),order=c desc, key, "ref"`, `where==`, `=`, `order=,`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, errs := parseTag(s)
		for _, e := range errs {
			if e.Problem == "" || e.Mend == "" {
				t.Fatalf("parseTag(%q): %+v", s, e)
			}
		}
		if len(errs) > 0 {
			return
		}
		if !o.ignore && !o.primary && o.table == nil && !o.association() {
			t.Fatalf("parseTag(%q) says nothing and finds nothing wrong", s)
		}
		for _, name := range []*tableName{o.table, o.join} {
			if name == nil {
				continue
			}
			if again, err := parseTable(name.String()); err != nil || again != *name {
				t.Fatalf("%q is written as %s and read as %q, %v", *name, name, again, err)
			}
		}
		if strings.TrimSpace(o.where) != o.where {
			t.Fatalf("parseTag(%q): where is %q", s, o.where)
		}
	})
}

func TestParseTag(t *testing.T) {
	o, errs := parseTag(` many_to_many = "0xabcd"."User, Posts" , key = ( a , "B c" ),ref=d, where = status in ('a','b') , order=created_at desc, id , key, lower(name) `)
	if errs != nil {
		t.Fatal(errs)
	}
	if o.kind != ManyToMany || *o.join != (tableName{"0xabcd", "User, Posts"}) || !slices.Equal(o.key, []string{"a", "B c"}) ||
		!slices.Equal(o.ref, []string{"d"}) || o.where != "status in ('a','b')" || o.order != "created_at desc, id, key, lower(name)" {
		t.Errorf("%+v, join %+v", o, o.join)
	}
}

func TestParseTable(t *testing.T) {
	for in, want := range map[string]tableName{
		`posts`:                    {"", "posts"},
		` blog.posts `:             {"blog", "posts"},
		`Blog.userPosts`:           {"Blog", "userPosts"},
		`"0xabcd"."User Accounts"`: {"0xabcd", "User Accounts"},
		`a."b.c"`:                  {"a", "b.c"},
		`"say ""hi"""`:             {"", `say "hi"`},
		`User Accounts`:            {"", "User Accounts"},
	} {
		if got, err := parseTable(in); err != nil || got != want {
			t.Errorf("parseTable(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{``, `.`, `a.`, `.a`, `a.b.c`, `"`, `""`, `"a`, `a"b"`, `"a"b`, `o'brien`, `a(b)`, "a\x00"} {
		if got, err := parseTable(in); err == nil {
			t.Errorf("parseTable(%q) = %q, want an error", in, got)
		}
	}
}
