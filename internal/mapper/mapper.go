package mapper

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/model"
)

// Mapper is a Model bound to its table in a database.
type Mapper struct {
	Model *model.Model
	// Table is what the database says of the Model's table.
	Table *catalog.Table

	encoders []encoder // by model.Column.Pos
}

// New binds m to table. Columns of the Model that the table lacks come back as
// *model.ModelError, all of them joined.
func New(m *model.Model, table *catalog.Table) (*Mapper, error) {
	b := &Mapper{Model: m, Table: table, encoders: make([]encoder, len(m.Columns))}
	var errs []error
	for _, c := range m.Columns {
		col := table.Column(c.Name)
		if col == nil {
			errs = append(errs, &model.ModelError{
				Type: m.Type.String(), Field: c.Field,
				Problem: fmt.Sprintf("table %s has no column %q", table.Name, c.Name),
				Mend: fmt.Sprintf(`name one of its columns in the field's tag, or write db:"-"; it has: %s`,
					strings.Join(table.ColumnNames(), ", ")),
			})
			continue
		}
		b.encoders[c.Pos] = newEncoder(col, c.Type)
	}
	return b, errors.Join(errs...)
}

// Key returns the primary key of a row, a struct of the Model's type.
func (b *Mapper) Key(row reflect.Value) (Key, error) {
	k, ok, err := b.KeyOf(row, b.Model.Key)
	if err == nil && !ok {
		err = fmt.Errorf("row of %s has a null in its key", b.Model)
	}
	return k, err
}

// KeyOf returns the values of columns in a row as a Key, or false if one of them is null.
func (b *Mapper) KeyOf(row reflect.Value, columns []*model.Column) (Key, bool, error) {
	if len(columns) == 1 {
		c := columns[0]
		text, ok, err := b.encoders[c.Pos](row.FieldByIndex(c.Index))
		return Key(text), ok, err
	}
	texts := make([]string, len(columns))
	for i, c := range columns {
		text, ok, err := b.encoders[c.Pos](row.FieldByIndex(c.Index))
		if !ok || err != nil {
			return "", false, err
		}
		texts[i] = text
	}
	return Join(texts...), true, nil
}

// Types returns the SQL types of columns of the Model.
func (b *Mapper) Types(columns []*model.Column) []string {
	types := make([]string, len(columns))
	for i, c := range columns {
		types[i] = b.Table.Column(c.Name).Type
	}
	return types
}

// Targets appends pointers to the row's column fields, in the order of
// Model.Columns, for a row to be scanned into. The row must be addressable.
func (b *Mapper) Targets(row reflect.Value, into []any) []any {
	for _, c := range b.Model.Columns {
		into = append(into, row.FieldByIndex(c.Index).Addr().Interface())
	}
	return into
}

// CopyColumns sets the column fields of to, which must be addressable, to those of from.
func (b *Mapper) CopyColumns(to, from reflect.Value) {
	for _, c := range b.Model.Columns {
		to.FieldByIndex(c.Index).Set(from.FieldByIndex(c.Index))
	}
}

// SameColumns reports whether two rows agree in every column.
func (b *Mapper) SameColumns(x, y reflect.Value) bool {
	for _, c := range b.Model.Columns {
		if !same(x.FieldByIndex(c.Index), y.FieldByIndex(c.Index)) {
			return false
		}
	}
	return true
}

func same(x, y reflect.Value) bool {
	if k := x.Kind(); k <= reflect.Complex128 || k == reflect.String {
		return x.Equal(y)
	}
	return reflect.DeepEqual(x.Interface(), y.Interface())
}

// Set is the Mappers of one database, by Model.
type Set map[*model.Model]*Mapper

// Text returns the canonical text of a value for a column of the Model, or
// false for null. The value may have any type that pgx can write to the column.
func (b *Mapper) Text(c *model.Column, value any) (string, bool, error) {
	return TextOf(b.Table.Column(c.Name), value)
}

// TextOf is [Mapper.Text] for a column that no Model need have.
func TextOf(col *catalog.Column, value any) (string, bool, error) {
	if told, ok := value.(capture.Value); ok { // as an event tells it
		value = told.Text
		if told.Null {
			value = nil
		}
	}
	if value == nil {
		return "", false, nil
	}
	v := reflect.ValueOf(value)
	if col.OID == pgtype.BoolOID && v.Kind() == reflect.String {
		b, err := parseBool(v.String())
		return strconv.FormatBool(b), err == nil, err
	}
	if wholeNumber(col) && v.CanFloat() {
		return "", false, fmt.Errorf("%v is no %s: pass an integer", value, col.Type)
	}
	text, ok, err := newEncoder(col, v.Type())(v)
	if err == nil && ok {
		err = valid(col, text)
	}
	if n, wrong := strconv.ParseInt(text, 10, 64); wholeNumber(col) && wrong == nil {
		text = strconv.FormatInt(n, 10) // "+42" and "042" are 42
	}
	return text, ok, err
}

// PlainText is [TextOf] as the database would tell the value: not brought to
// canonical form, in which case, zeros and the like are lost.
func PlainText(col *catalog.Column, value any) (string, bool, error) {
	canonical, set, err := TextOf(col, value)
	if err != nil || !set || col.OID == pgtype.BoolOID {
		return canonical, set, err
	}
	if told, ok := value.(capture.Value); ok {
		return told.Text, true, nil
	}
	m, _ := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	text, err := m.Encode(col.OID, pgtype.TextFormatCode, value, nil)
	if err != nil || text == nil {
		return canonical, true, nil // it takes an encoder of ours, such as an array of bytes for a uuid
	}
	return string(text), true, nil
}

// parseBool reads what PostgreSQL takes for a boolean
// (https://www.postgresql.org/docs/current/datatype-boolean.html).
func parseBool(text string) (bool, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	for word, value := range map[string]bool{"true": true, "yes": true, "on": true, "1": true, "false": false, "no": false, "off": false, "0": false} {
		if text != "" && text != "o" && strings.HasPrefix(word, text) {
			return value, nil
		}
	}
	return false, fmt.Errorf("%q is no boolean: write true or false", text)
}
