package model

import (
	"reflect"
	"strings"
)

// defaultSchema is the schema of a table that names none.
const defaultSchema = "public"

// tableTag is the table that a blank field names.
type tableTag struct {
	// depth is 1 for a field of the type itself, more for one of an embedded struct.
	depth int
	name  tableName
}

// String returns the name as parseTable reads it.
func (n tableName) String() string {
	if n.schema == "" {
		return quote(n.table)
	}
	return quote(n.schema) + "." + quote(n.table)
}

// quote returns a name as parseName reads it, with quotes only where needed.
func quote(name string) string {
	if strings.ContainsAny(name, `."'()[],`) || strings.TrimSpace(name) != name {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}

// withSchema returns the name with a schema, which is the given one if it has none.
func (n tableName) withSchema(schema string) tableName {
	if n.schema == "" {
		n.schema = schema
	}
	return n
}

// nameTable settles the table: what the outermost blank field says, else the
// method TableName, else the plural of the type's name.
func (d *draft) nameTable() {
	tagged, ok := d.taggedTable()
	method, found, e := callTableName(d.model.Type)
	switch {
	case e != nil:
		d.fail("", e)
	case ok && found && tagged.withSchema(defaultSchema) != method.withSchema(defaultSchema):
		d.fail("", fault("remove one, or let both say the same", "its tag names table %s, its method TableName %s", tagged, method))
	case !ok && found:
		tagged, ok = method, true
	}
	if !ok {
		tagged.table = defaultTable(d.model.Type.Name())
		if tagged.table == "" {
			d.fail("", fault("add a field _ struct{} `rowsync:\"table=…\"`, or give the type a name", "a type without a name has no default table"))
		}
	}
	tagged = tagged.withSchema(defaultSchema)
	d.model.Schema, d.model.Table = tagged.schema, tagged.table
}

func (d *draft) taggedTable() (name tableName, ok bool) {
	depth := 0
	for _, t := range d.tables {
		switch {
		case !ok || t.depth < depth:
			name, depth, ok = t.name, t.depth, true
		case t.depth == depth && t.name != name:
			d.fail("", fault("keep one of them", "two blank fields name tables %s and %s", name, t.name))
		}
	}
	return name, ok
}

// tabler is what GORM and others ask a type for its table, too.
type tabler interface{ TableName() string }

var tablerType = reflect.TypeFor[tabler]()

// callTableName asks a type that has a method TableName for its table.
func callTableName(t reflect.Type) (name tableName, found bool, e *ModelError) {
	if !reflect.PointerTo(t).Implements(tablerType) {
		return name, false, nil
	}
	defer func() {
		// The method may come from an embedded pointer, which is nil here.
		if r := recover(); r != nil {
			e = fault("let it return a constant", "its method TableName panics on an empty value: %v", r)
		}
	}()
	said := reflect.New(t).Interface().(tabler).TableName()
	name, err := parseTable(said)
	if err != nil {
		return name, false, fault(`let it return "table", "schema.table", or names quoted as in SQL`, "its method TableName returns %q: %v", said, err)
	}
	return name, true, nil
}
