package model

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// draft is a Model under construction, together with what is wrong with it.
type draft struct {
	model *Model
	// candidates are the fields that are associations, or may be.
	candidates []*candidate
	errs       []*ModelError
	// tables holds what blank fields say of the table.
	tables []tableTag
	// keys holds the columns that are marked as key.
	keys []*Column
	// untagged holds the columns whose fields have no db tag.
	untagged []*Column
	// sealed means that the model is complete because a Registry has it already.
	sealed bool
}

// field is a struct field and what its tags say.
type field struct {
	reflect.StructField
	// path is the name with the path of embedded structs.
	path string
	// index leads from the model's type to the field.
	index []int
	// column is the name in the db tag; hasColumn says whether there is a tag.
	column    string
	hasColumn bool
	// options is the rowsync tag; hasOptions says whether there is one.
	options    options
	hasOptions bool
}

// skipped reports whether the db tag takes the field from pgx.
func (f *field) skipped() bool { return f.column == "-" }

// describe reads the fields of a struct type into a draft: everything that can
// be said without looking at other types.
func describe(t reflect.Type) *draft {
	d := &draft{model: &Model{Type: t}}
	d.describeFields(t, nil, "")
	d.nameTable()
	d.chooseKey()
	d.findDoubles()
	return d
}

func (d *draft) fail(field string, e *ModelError) {
	d.errs = append(d.errs, e.at(d.model.Type, field))
}

func (d *draft) describeFields(t reflect.Type, index []int, prefix string) {
	for i := range t.NumField() {
		f := &field{StructField: t.Field(i), index: append(slices.Clone(index), i)}
		f.path = prefix + f.Name
		if d.readTags(f) {
			d.describeField(f)
		}
	}
}

// readTags fills in what the field's tags say and reports whether they can be used.
func (d *draft) readTags(f *field) bool {
	const mend = `write tags as name:"value", with a backslash before each quote in the value`
	column, hasColumn, err := lookupTag(f.Tag, dbTag)
	if err != nil {
		d.fail(f.path, fault(mend, "%v", err))
		return false
	}
	f.column, _, _ = strings.Cut(column, ",")
	f.hasColumn = hasColumn
	tag, hasOptions, err := lookupTag(f.Tag, rowsyncTag)
	if err != nil {
		d.fail(f.path, fault(mend, "%v", err))
		return false
	}
	if !hasOptions {
		return true
	}
	var errs []*ModelError
	f.options, errs = parseTag(tag)
	f.hasOptions = true
	for _, e := range errs {
		d.fail(f.path, e)
	}
	return len(errs) == 0
}

// describeField decides what a field is. The order of the cases is that of
// pgx, so that both see the same columns.
func (d *draft) describeField(f *field) {
	o := &f.options
	switch {
	case f.Name == "_":
		d.describeBlank(f)
	case o.table != nil:
		d.fail(f.path, fault(fmt.Sprintf("write it on a blank field: _ struct{} `rowsync:\"table=%s\"`", o.table), "table= stands on a field that has a name"))
	case !f.IsExported() && !f.Anonymous:
		if f.hasOptions && !o.ignore {
			d.fail(f.path, fault("export the field or remove its rowsync tag", "the field is not exported"))
		}
	case f.Anonymous && f.Type.Kind() == reflect.Struct:
		d.describeEmbedded(f)
	case o.ignore:
	case f.skipped():
		d.describeSkipped(f)
	case o.association():
		if f.hasColumn {
			d.fail(f.path, fault(`write db:"-" beside the rowsync tag`, "the db tag names a column, the rowsync tag an association"))
			return
		}
		d.addCandidate(f)
	default:
		d.addColumn(f)
	}
}

func (d *draft) describeBlank(f *field) {
	switch {
	case !f.hasOptions || f.options.ignore:
	case f.options.table == nil:
		d.fail(f.path, fault(`write rowsync:"table=…", or give the field a name`, "a blank field can only name the table"))
	default:
		d.tables = append(d.tables, tableTag{depth: len(f.index), name: *f.options.table})
	}
}

// describeEmbedded takes the fields of an embedded struct over, as pgx does
// whatever the tags of the embedding say.
func (d *draft) describeEmbedded(f *field) {
	columns, candidates := len(d.model.Columns), len(d.candidates)
	d.describeFields(f.Type, f.index, f.path+".")
	if len(d.model.Columns) == columns && len(d.candidates) == candidates {
		return
	}
	if f.hasColumn || f.hasOptions {
		d.fail(f.path, fault("remove the tag, or give the field a name", "the tag has no effect, for pgx reads the fields of an embedded struct in any case"))
	}
}

// describeSkipped looks at a field that pgx does not read.
func (d *draft) describeSkipped(f *field) {
	switch {
	case f.options.primary:
		d.fail(f.path, fault(`name the column in the db tag, or remove rowsync:"key"`, `a part of the primary key has db:"-"`))
	case f.options.association():
		d.addCandidate(f)
	case f.IsExported():
		if _, ok := shapeOf(f.Type); ok {
			d.addCandidate(f)
		}
	}
}

// addCandidate notes a field that may be an association.
func (d *draft) addCandidate(f *field) {
	s, ok := shapeOf(f.Type)
	switch {
	case !ok:
		d.fail(f.path, fault("make it *T, []*T, T or []T for a struct type T", "an association cannot be a %s", f.Type))
		return
	case !f.IsExported():
		d.fail(f.path, fault("export the field or remove its rowsync tag", "the field is not exported"))
		return
	}
	for _, other := range d.candidates {
		if other.Name == f.Name {
			d.fail(f.path, fault("give one of the two another name", "field %s is an association of the same name", other.path))
			return
		}
	}
	d.candidates = append(d.candidates, &candidate{field: f, shape: s, owner: d})
}

// addColumn notes a field that is a column.
func (d *draft) addColumn(f *field) {
	name := f.column
	if !f.hasColumn {
		name = snake(f.Name)
	}
	mend := `write db:"-" on it, or give it a type that a column can have`
	switch {
	case f.Anonymous && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
		d.fail(f.path, fault(`embed the struct itself, give the field a name, or write db:"-"`, "pgx does not read the fields of an embedded pointer"))
		return
	case !f.IsExported():
		d.fail(f.path, fault(`export the type, give the field a name, or write db:"-"`, "pgx takes the embedded field for a column and cannot set it"))
		return
	case name == "":
		d.fail(f.path, fault(fmt.Sprintf(`write db:%q, or leave the db tag out`, snake(f.Name)), "the db tag names no column"))
		return
	case unsupported(f.Type):
		// It is kept as a column, so that associations that name it do not
		// fail for a second reason.
		d.fail(f.path, fault(mend, "no column can be read into type %s", f.Type))
	case f.options.primary && !identifies(f.Type):
		d.fail(f.path, keyFault(f.Type))
	}
	m := d.model
	c := &Column{Name: name, Field: f.path, Index: f.index, Type: f.Type, Pos: len(m.Columns)}
	m.Columns = append(m.Columns, c)
	if f.options.primary {
		d.keys = append(d.keys, c)
	}
	if !f.hasColumn {
		d.untagged = append(d.untagged, c)
	}
}

func keyFault(t reflect.Type) *ModelError {
	return fault("use a number, a string, []byte, a fixed array of bytes or a type with a Value method", "type %s cannot identify a row", t)
}

// chooseKey settles the primary key: the columns that are marked, else id.
func (d *draft) chooseKey() {
	m := d.model
	m.Key = d.keys
	if m.Key != nil {
		return
	}
	id := m.Column("id")
	if id == nil {
		return
	}
	m.Key = []*Column{id}
	if !identifies(id.Type) && !unsupported(id.Type) {
		d.fail(id.Field, keyFault(id.Type))
	}
}

// keyless says that a model has no key. That concerns whoever refers to it, and
// so it is no mistake of the model itself.
func keyless(m *Model, subject string) *ModelError {
	if len(m.Columns) == 0 {
		return fault("use a struct with a field for each column", "%s has no columns", subject)
	}
	return fault(`write rowsync:"key" on each field of the primary key`, "%s has no column id and no field marked as key (%s)",
		subject, known("columns", columnNames(m.Columns)))
}

// findDoubles finds two fields of one column. pgx reads a column into a field
// without a db tag whatever capitals and underscores its name has.
func (d *draft) findDoubles() {
	byName := map[string]*Column{}
	loose := map[string][]*Column{}
	untagged := map[*Column]bool{}
	for _, c := range d.untagged {
		untagged[c] = true
	}
	for _, c := range d.model.Columns {
		if other := byName[c.Name]; other != nil {
			d.fail(c.Field, fault(`give one of them another column, or db:"-"`, "column %s belongs to field %s already", c.Name, other.Field))
			continue
		}
		byName[c.Name] = c
		key := strings.ToLower(strings.ReplaceAll(c.Name, "_", ""))
		for _, other := range loose[key] {
			if untagged[c] || untagged[other] {
				d.fail(c.Field, fault("write a db tag on both", "pgx cannot tell its column %s from column %s of field %s", c.Name, other.Name, other.Field))
				break
			}
		}
		loose[key] = append(loose[key], c)
	}
}
