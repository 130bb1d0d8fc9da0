package tables

import (
	"slices"
	"testing"
)

func TestParseName(t *testing.T) {
	for text, want := range map[string][2]string{
		"users":                 {"public", "users"},
		"app.Users":             {"app", "Users"},
		`"0xabcd"."camelCase"`:  {"0xabcd", "camelCase"},
		`0xabcd."with.dot"`:     {"0xabcd", "with.dot"},
		`"a ""quoted"" name".b`: {`a "quoted" name`, "b"},
		`we"ird`:                {"public", `we"ird`},
		`"one.name"`:            {"public", "one.name"},
		`"größe"."日本"`:          {"größe", "日本"},
	} {
		schema, name, err := parseName(text)
		if err != nil || schema != want[0] || name != want[1] {
			t.Errorf("%s is %q.%q, %v; want %q", text, schema, name, err, want)
		}
	}
	for _, text := range []string{"", ".", "a.", ".b", "a.b.c", `"a`, `"a"b`, `""`, `"a".""`, `"a"".b`} {
		if schema, name, err := parseName(text); err == nil {
			t.Errorf("%s is taken for %q.%q", text, schema, name)
		}
	}
}

// FuzzQuote: what quote writes is read again.
func FuzzQuote(f *testing.F) {
	f.Add("users", "a.b")
	f.Add(`a"b`, " c ")
	f.Add(`"`, ",")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == "" || b == "" {
			return // no names
		}
		schema, name, err := parseName((&Table{Schema: a, Name: b}).String())
		if err != nil || schema != a || name != b {
			t.Errorf("%q.%q became %q.%q, %v", a, b, schema, name, err)
		}
		columns, err := parseColumns(quoteAll([]string{a, b}))
		if err != nil || !slices.Equal(columns, []string{a, b}) {
			t.Errorf("%q, %q became %q, %v", a, b, columns, err)
		}
	})
}

func TestParseWhere(t *testing.T) {
	value := func(s string) *string { return &s }
	for text, want := range map[string]Row{
		"team_id=7":      {Column: "team_id", Value: value("7")},
		"team_id=":       {Column: "team_id", Value: value("")},
		"team_id=null":   {Column: "team_id"},
		`name="null"`:    {Column: "name", Value: value("null")},
		`name="a ""b"""`: {Column: "name", Value: value(`a "b"`)},
		"name=a=b":       {Column: "name", Value: value("a=b")},
		`"a=b"=c`:        {Column: "a=b", Value: value("c")},
	} {
		got, err := parseWhere(text)
		same := got.Value == want.Value || got.Value != nil && want.Value != nil && *got.Value == *want.Value
		if err != nil || got.Column != want.Column || !same {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
}
