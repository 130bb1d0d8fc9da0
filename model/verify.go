package model

import (
	"reflect"
	"slices"
)

// reachable lists a model and all models that its associations reach, each once.
func reachable(m *Model) []*Model {
	models := []*Model{m}
	seen := map[*Model]bool{m: true}
	for i := 0; i < len(models); i++ { // models grows meanwhile
		if models[i] == nil {
			continue
		}
		for _, a := range models[i].Associations {
			if a == nil {
				continue
			}
			for _, next := range a.models() {
				if !seen[next] {
					seen[next] = true
					models = append(models, next)
				}
			}
		}
	}
	return models
}

// verify returns what is wrong with a model that was made elsewhere.
func verify(m *Model) []*ModelError {
	if m == nil {
		return []*ModelError{fault("add a model of every type that an association leads to", "it is nil").at(nil, "")}
	}
	if m.Type == nil || m.Type.Kind() != reflect.Struct {
		return []*ModelError{fault("set Type to the struct type", "Type is no struct type").at(m.Type, "")}
	}
	var errs []*ModelError
	if m.Schema == "" || m.Table == "" {
		errs = append(errs, fault("set Schema and Table", "Schema or Table is empty").at(m.Type, ""))
	}
	if len(m.Key) == 0 {
		errs = append(errs, fault("set Key to the columns that identify a row", "Key is empty").at(m.Type, ""))
	}
	errs = append(errs, verifyColumns(m)...)
	names := map[string]bool{}
	for _, a := range m.Associations {
		e := verifyAssociation(m, a)
		if e == nil && names[a.Name] {
			e = fault("give each association another name", "two associations have this name").at(m.Type, a.Name)
		}
		if e != nil {
			errs = append(errs, e)
			continue
		}
		names[a.Name] = true
	}
	return errs
}

func verifyColumns(m *Model) (errs []*ModelError) {
	fields := map[string]string{}
	for i, c := range m.Columns {
		var e *ModelError
		switch {
		case c == nil:
			errs = append(errs, fault("set every element of Columns", "column %d is nil", i).at(m.Type, ""))
			continue
		case c.Name == "":
			e = fault("set Name", "a column has no name")
		case fields[c.Name] != "":
			e = fault("keep one of them", "column %s belongs to field %s already", c.Name, fields[c.Name])
		case c.Pos != i:
			e = fault("set Pos to the column's place in Columns", "column %s is at %d, but its Pos is %d", c.Name, i, c.Pos)
		case fieldType(m.Type, c.Index) != c.Type || c.Type == nil:
			e = fault("set Index and Type to those of the field, with no pointer on the way", "Index of column %s does not lead to a field of type %v", c.Name, c.Type)
		}
		if e != nil {
			errs = append(errs, e.at(m.Type, c.Field))
		}
		fields[c.Name] = c.Field
	}
	for _, k := range m.Key {
		if !slices.Contains(m.Columns, k) || k == nil {
			errs = append(errs, fault("take the elements of Key from Columns", "Key has a column that Columns has not").at(m.Type, ""))
		}
	}
	return errs
}

// fieldType returns the type of the field that an index leads to, or nil.
func fieldType(t reflect.Type, index []int) reflect.Type {
	if len(index) == 0 {
		return nil
	}
	for _, i := range index {
		if t.Kind() != reflect.Struct || i < 0 || i >= t.NumField() {
			return nil
		}
		t = t.Field(i).Type
	}
	return t
}

func verifyAssociation(m *Model, a *Association) *ModelError {
	if a == nil {
		return fault("set every element of Associations", "an association is nil").at(m.Type, "")
	}
	if e := verifyEnds(m, a); e != nil {
		return e.at(m.Type, a.Name)
	}
	if e := verifyKind(a); e != nil {
		return e.at(m.Type, a.Name)
	}
	return nil
}

func verifyEnds(m *Model, a *Association) *ModelError {
	if a.Owner != m {
		return fault("set Owner to the model that has the association", "Owner is another model")
	}
	if a.Target == nil {
		return fault("set Target", "Target is nil")
	}
	s, ok := shapeOf(orNothing(fieldType(m.Type, a.Index)))
	if !ok || s.target != a.Target.Type || s.many != a.Many || s.pointer != a.ElemPointer {
		return fault("set Index, Many and ElemPointer to those of the field", "Index does not lead to a field that holds %s as Many and ElemPointer say", typeName(a.Target.Type))
	}
	return nil
}

// orNothing stands in for a type that is not there.
func orNothing(t reflect.Type) reflect.Type {
	if t == nil {
		return reflect.TypeFor[int]()
	}
	return t
}

func verifyKind(a *Association) *ModelError {
	if a.Kind == Through {
		return verifyThrough(a)
	}
	if a.Kind < BelongsTo || a.Kind > Through {
		return fault("set Kind", "there is no kind %d", a.Kind)
	}
	if (a.Kind == BelongsTo || a.Kind == HasOne) == a.Many {
		return fault("change Kind or the field", "%s does not go with Many %v", a.Kind, a.Many)
	}
	if len(a.OwnerColumns) == 0 || len(a.TargetColumns) == 0 || a.Kind != ManyToMany && len(a.OwnerColumns) != len(a.TargetColumns) {
		return fault("set OwnerColumns and TargetColumns to pairs of columns", "OwnerColumns has %d columns, TargetColumns %d", len(a.OwnerColumns), len(a.TargetColumns))
	}
	strange := func(of *Model, columns []*Column) bool {
		return slices.ContainsFunc(columns, func(c *Column) bool { return c == nil || !slices.Contains(of.Columns, c) })
	}
	if strange(a.Owner, a.OwnerColumns) || strange(a.Target, a.TargetColumns) {
		return fault("take them from the models' Columns", "OwnerColumns or TargetColumns has a column that its model has not")
	}
	if a.Kind != ManyToMany {
		return nil
	}
	j := a.Join
	if j == nil || j.Schema == "" || j.Table == "" || len(j.OwnerColumns) != len(a.OwnerColumns) || len(j.TargetColumns) != len(a.TargetColumns) {
		return fault("set Join with schema, table and one column for each of OwnerColumns and TargetColumns", "Join is not whole")
	}
	return nil
}

func verifyThrough(a *Association) *ModelError {
	at := a.Owner
	for i, step := range a.Through {
		if step == nil || step.Kind == Through || step.Owner != at || step.Target == nil {
			return fault("let each step begin where the last one ends, and replace through associations by their own path", "step %d of Through does not fit", i+1)
		}
		at = step.Target
	}
	if len(a.Through) == 0 || at != a.Target {
		return fault("let the last step end at Target", "Through does not lead to Target")
	}
	return nil
}
