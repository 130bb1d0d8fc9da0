package model

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The struct tags that are read.
const (
	dbTag      = "db"
	rowsyncTag = "rowsync"
)

// options is what a rowsync tag says.
type options struct {
	// ignore is "-": the field is nothing to rowsync.
	ignore bool
	// primary is a bare "key": the field's column is part of the primary key.
	primary bool
	// table is the table of the type; only on the blank field.
	table *tableName
	// kind is the association's kind if the tag names it.
	kind Kind
	// join and through may be missing although kind asks for them.
	join     *tableName
	through  []string
	key, ref []string
	where    string
	order    string
}

// association reports whether the tag describes an association.
func (o *options) association() bool {
	return o.kind != 0 || o.key != nil || o.ref != nil || o.where != "" || o.order != ""
}

// optionNames lists every option in the order of the documentation.
var optionNames = []string{
	"belongs_to", "has_one", "has_many", "many_to_many=", "through=",
	"key", "key=", "ref=", "where=", "order=", "table=", "-",
}

var kindOptions = map[string]Kind{
	"belongs_to":   BelongsTo,
	"has_one":      HasOne,
	"has_many":     HasMany,
	"many_to_many": ManyToMany,
	"through":      Through,
}

func isOption(name string) bool {
	return slices.Contains(optionNames, name) || slices.Contains(optionNames, name+"=")
}

// pair is one option as it is written.
type pair struct {
	name, value string
	hasValue    bool
}

// String returns the option without its value.
func (p pair) String() string {
	if p.hasValue {
		return p.name + "="
	}
	return p.name
}

// parsePairs cuts a tag into options. What follows a comma in the value of
// order belongs to it unless it is an option itself.
func parsePairs(tag string) ([]pair, error) {
	pieces, err := split(tag, ',')
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, piece := range pieces {
		name, value, hasValue := strings.Cut(piece, "=")
		p := pair{strings.TrimSpace(name), strings.TrimSpace(value), hasValue}
		if n := len(pairs); n > 0 && pairs[n-1].name == "order" && pairs[n-1].hasValue && continuesOrder(p) {
			pairs[n-1].value += "," + strings.TrimRightFunc(piece, unicode.IsSpace)
			continue
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// continuesOrder reports whether p, which follows an order option, is a further
// term of it. A bare word is one even if it is the name of an option that needs
// a value, for columns are called key and order too.
func continuesOrder(p pair) bool {
	if p.hasValue {
		return !isOption(p.name)
	}
	switch p.name {
	case "", "-", "belongs_to", "has_one", "has_many", "many_to_many":
		return false
	}
	return true
}

// parseTag reads a rowsync tag. It returns what it understood even if there
// are mistakes.
func parseTag(tag string) (options, []*ModelError) {
	var o options
	pairs, err := parsePairs(tag)
	if err != nil {
		return o, []*ModelError{fault("close what is open, and double a quote within quotes", "%v", err)}
	}
	var errs []*ModelError
	seen := map[string]bool{}
	for _, p := range pairs {
		// A bare key and key= are two options, but nothing needs both.
		if seen[p.name] {
			errs = append(errs, fault("keep one of them", "option %s stands there twice", p.name))
			continue
		}
		seen[p.name] = true
		if e := o.set(p); e != nil {
			errs = append(errs, e)
		}
	}
	if len(errs) == 0 {
		errs = o.check(len(pairs))
	}
	return o, errs
}

// set takes one option over.
func (o *options) set(p pair) *ModelError {
	if !isOption(p.name) {
		if p.name == "" && !p.hasValue {
			return fault("remove the tag or the comma too many", "an option is empty")
		}
		return fault("use one of "+strings.Join(optionNames, ", "), "unknown option %q", p.name)
	}
	if kind, ok := kindOptions[p.name]; ok {
		if o.kind != 0 {
			return fault("keep one of them", "it cannot be both %s and %s", o.kind, kind)
		}
		o.kind = kind
	}
	switch p.name {
	case "-", "belongs_to", "has_one", "has_many":
		if p.hasValue {
			return fault("write "+p.name+" alone", "option %s takes no value", p.name)
		}
		o.ignore = o.ignore || p.name == "-"
		return nil
	case "key":
		if !p.hasValue {
			o.primary = true
			return nil
		}
	}
	return o.setValue(p)
}

// setValue takes an option with a value over.
func (o *options) setValue(p pair) (e *ModelError) {
	if p.value == "" && (p.name != "many_to_many" && p.name != "through") {
		return fault("write a value after "+p.name+"=", "option %s has no value", p.name)
	}
	var err error
	switch p.name {
	case "many_to_many":
		if p.value == "" {
			return nil // the caller knows the models and names a table
		}
		o.join, err = tableOption(p.value)
	case "through":
		if p.value == "" {
			return nil
		}
		for step := range strings.SplitSeq(p.value, ".") {
			o.through = append(o.through, strings.TrimSpace(step))
		}
	case "table":
		o.table, err = tableOption(p.value)
	case "key":
		o.key, err = parseNames(p.value)
	case "ref":
		o.ref, err = parseNames(p.value)
	case "where":
		o.where = p.value
	case "order":
		o.order = p.value
	}
	if err != nil {
		return fault(nameMend(p.name), "option %s: %v", p, err)
	}
	return nil
}

func tableOption(value string) (*tableName, error) {
	name, err := parseTable(value)
	if err != nil {
		return nil, err
	}
	return &name, nil
}

func nameMend(option string) string {
	if option == "key" || option == "ref" {
		return "write " + option + "=column, or " + option + "=(first,second)"
	}
	return `write ` + option + `=table, ` + option + `=schema.table, or with quotes as in SQL`
}

// check finds options that do not go together.
func (o *options) check(n int) []*ModelError {
	switch {
	case o.ignore && n > 1:
		return []*ModelError{fault(`write rowsync:"-" alone, or remove the dash`, "- stands beside other options")}
	case o.primary && n > 1:
		return []*ModelError{fault(`write rowsync:"key" on the column and the rest on the association's field`, "key, which marks a column of the primary key, stands beside other options")}
	case o.table != nil && n > 1:
		return []*ModelError{fault("write the table alone on the blank field", "table= stands beside other options")}
	case o.kind == Through && (o.key != nil || o.ref != nil):
		return []*ModelError{fault("remove key= and ref=, or name another kind", "a through association has no key= and no ref=, its path has them")}
	}
	return nil
}

// lookupTag returns the value of a key in a struct tag. It fails if the tag is
// not written as Go wants it and the key may stand in the part that cannot be
// read, which [reflect.StructTag.Lookup] passes over in silence.
func lookupTag(tag reflect.StructTag, key string) (value string, present bool, err error) {
	rest := strings.TrimLeft(string(tag), " ")
	for rest != "" {
		name, quoted, ok := cutTag(rest)
		if !ok {
			break
		}
		if name == key {
			value, err = strconv.Unquote(quoted)
			return value, true, err
		}
		rest = strings.TrimLeft(rest[len(name)+1+len(quoted):], " ")
	}
	if strings.Contains(rest, key) {
		return "", false, fmt.Errorf("the struct tag cannot be read from %s on", rest)
	}
	return "", false, nil
}

// cutTag returns the name and the quoted value that a struct tag begins with.
func cutTag(tag string) (name, quoted string, ok bool) {
	colon := strings.Index(tag, `:"`)
	if colon <= 0 || strings.ContainsAny(tag[:colon], " \"'\t\n") {
		return "", "", false
	}
	quoted, err := strconv.QuotedPrefix(tag[colon+1:])
	if err != nil {
		return "", "", false
	}
	end := colon + 1 + len(quoted)
	return tag[:colon], quoted, end == len(tag) || tag[end] == ' '
}
