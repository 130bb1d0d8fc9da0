// Package mapper binds a Model to a database: it knows the types of its
// columns there and reads keys, columns and rows from Go structs.
//
// Keys are compared as canonical text, so that a key that PostgreSQL wrote and
// a key that a Go value holds are the same string exactly when PostgreSQL calls
// them equal.
package mapper

import (
	"strconv"
	"strings"
)

// Key is the canonical text of the values of one or more columns, none of them null.
type Key string

// Join makes a Key of the canonical texts of its columns.
func Join(texts ...string) Key {
	if len(texts) == 1 {
		return Key(texts[0])
	}
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(strconv.Itoa(len(t)))
		b.WriteByte(':')
		b.WriteString(t)
	}
	return Key(b.String())
}

// Split takes a Key of n columns apart again.
func (k Key) Split(n int) []string {
	if n == 1 {
		return []string{string(k)}
	}
	texts := make([]string, 0, n)
	for rest := string(k); rest != ""; {
		size, tail, _ := strings.Cut(rest, ":")
		l, _ := strconv.Atoi(size)
		texts = append(texts, tail[:l])
		rest = tail[l:]
	}
	return texts
}

// Arrays takes the keys apart into one array of texts per column, as unnest wants them.
func Arrays(keys []Key, n int) []any {
	cols := make([][]string, n)
	for i := range cols {
		cols[i] = make([]string, len(keys))
	}
	for r, k := range keys {
		for c, t := range k.Split(n) {
			cols[c][r] = t
		}
	}
	args := make([]any, n)
	for i := range cols {
		args[i] = cols[i]
	}
	return args
}
