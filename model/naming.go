package model

import (
	"strings"
	"unicode"
)

// mixedWords are words that keep capitals inside of them. They count as one
// word: OAuth2Token is oauth2_token.
var mixedWords = []string{"OAuth", "IPv4", "IPv6", "GraphQL", "PostgreSQL", "MySQL"}

// snake turns a Go name into the name a column or table has by default:
// PersonID becomes person_id, HTTPServer http_server, UserIDs user_ids.
//
// It only lowers letters and inserts underscores, and so the result is always a
// name that pgx matches with the field.
func snake(name string) string {
	r := []rune(lowerMixedWords(name))
	var b strings.Builder
	for i, c := range r {
		if i > 0 && c != '_' && r[i-1] != '_' && startsWord(r, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// startsWord reports whether a new word begins at r[i], i > 0.
func startsWord(r []rune, i int) bool {
	if !unicode.IsUpper(r[i]) {
		return false
	}
	if !unicode.IsUpper(r[i-1]) {
		return true
	}
	// Within capitals, the last one begins a word if small letters follow, but
	// for the s of a plural: HTTPServer, but IDs.
	if i+1 == len(r) || !unicode.IsLower(r[i+1]) {
		return false
	}
	plural := r[i+1] == 's' && (i+2 == len(r) || !unicode.IsLower(r[i+2]))
	return !plural
}

// lowerMixedWords gives each of mixedWords one capital only, where it is a word
// of its own.
func lowerMixedWords(name string) string {
	for _, word := range mixedWords {
		from := 0
		for {
			at := strings.Index(name[from:], word)
			if at < 0 {
				break
			}
			at += from
			end := at + len(word)
			if (at == 0 || !isUpperASCII(name[at-1])) && (end == len(name) || !isLowerASCII(name[end])) {
				name = name[:at+1] + strings.ToLower(name[at+1:end]) + name[end:]
			}
			from = end
		}
	}
	return name
}

func isUpperASCII(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLowerASCII(c byte) bool { return 'a' <= c && c <= 'z' }

// baseName returns a type's name without type arguments.
func baseName(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// defaultTable returns the table of a type that names none: the plural of its
// name in snake case.
func defaultTable(typeName string) string {
	name := snake(baseName(typeName))
	head, last := "", name
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		head, last = name[:i+1], name[i+1:]
	}
	return head + plural(last)
}

// foreignKey returns the default name of a column that refers to another: the
// referring name, an underscore and the column referred to, such as author_id.
// A column that already says so, like person_id of a person, keeps its name.
func foreignKey(prefix, column string) string {
	if strings.HasPrefix(column, prefix+"_") {
		return column
	}
	return prefix + "_" + column
}
