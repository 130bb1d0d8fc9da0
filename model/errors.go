package model

import (
	"fmt"
	"reflect"
	"strings"
)

// ModelError is one mistake in the description of a model. Several of them come
// joined, see [errors.Join]; [errors.As] finds the first.
type ModelError struct {
	// Type is the name of the struct type, such as "Post".
	Type string
	// Field is the Go field at fault, with the path of embedded structs, or ""
	// if the whole type is.
	Field string
	// Problem says what is wrong.
	Problem string
	// Mend says what to write instead.
	Mend string
}

// Error returns all parts in one line:
//
//	model Post: field Tags: no table for many to many: write rowsync:"many_to_many=posts_tags"
func (e *ModelError) Error() string {
	var b strings.Builder
	b.WriteString("model " + e.Type)
	if e.Field != "" {
		b.WriteString(": field " + e.Field)
	}
	b.WriteString(": " + e.Problem)
	if e.Mend != "" {
		b.WriteString(": " + e.Mend)
	}
	return b.String()
}

// fault returns a ModelError whose Type and Field are still to be filled in by
// the caller that knows them.
func fault(mend, problem string, args ...any) *ModelError {
	return &ModelError{Problem: fmt.Sprintf(problem, args...), Mend: mend}
}

// at fills in where the mistake was made.
func (e *ModelError) at(t reflect.Type, field string) *ModelError {
	e.Type, e.Field = typeName(t), field
	return e
}

// typeName returns the type's own name, or its description if it has none.
func typeName(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	if t.Name() != "" {
		return t.Name()
	}
	return t.String()
}

// unknownColumn says that m lacks a column, and which it has.
func unknownColumn(m *Model, name string) string {
	return fmt.Sprintf("%s has no column %s (%s)", typeName(m.Type), name, known("columns", columnNames(m.Columns)))
}

// known lists what there is: "columns: id, name".
func known(what string, names []string) string {
	if len(names) == 0 {
		return "it has no " + what
	}
	return what + ": " + strings.Join(names, ", ")
}

func columnNames(columns []*Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}
