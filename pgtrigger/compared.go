package pgtrigger

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/internal/catalog"
)

// maxPlain is how many bytes a value that is only compared may have to travel
// as it is. A longer one travels as a digest.
const maxPlain = 80

// values is the SQL of the columns' values as text, of the row that r names.
func (d *definition) values(r string, columns *catalog.Table) string {
	list := make([]string, 0, len(d.places))
	extra := d.keys() + len(d.table.Columns)
	for i, name := range d.columns {
		value := r + "." + ident(name) + "::text"
		if i >= extra {
			value = compared(r+"."+ident(name), columns.Column(name))
		}
		list = append(list, value)
	}
	if d.way.moves {
		list = append(list, movement(r))
	}
	return strings.Join(list, ", ")
}

// compared is the SQL of a text that is the same for equal values of a column
// only, and short. "=" comes before a value, "#" before a digest, so that
// neither is taken for the other. Equal numerics can differ in their text
// (1.5 and 1.50); nothing else of PostgreSQL's own that is short does.
//
// The digest is two hashes with different seeds and the length. The collation
// keeps them from following a nondeterministic one, under which texts that
// differ are equal.
func compared(value string, column *catalog.Column) string {
	text := value + "::text"
	switch {
	case column.OID == pgtype.NumericOID:
		text = "trim_scale(" + value + ")::text"
	case alwaysShort[column.OID] || column.TypeKind == 'e':
		return "'=' || " + text
	}
	// OFFSET keeps the planner from computing the text more than once.
	return fmt.Sprintf(`(select case when octet_length(v) <= %d then '=' || v
				else '#' || hashtextextended(v collate "C", 1) || ':' || hashtextextended(v collate "C", 2) || ':' || octet_length(v) end
				from (select %s offset 0) as value(v))`, maxPlain, text)
}

// alwaysShort are types whose text never is longer than maxPlain.
var alwaysShort = map[uint32]bool{
	pgtype.BoolOID: true, pgtype.Int2OID: true, pgtype.Int4OID: true, pgtype.Int8OID: true, pgtype.OIDOID: true,
	pgtype.Float4OID: true, pgtype.Float8OID: true, pgtype.UUIDOID: true, pgtype.NameOID: true, pgtype.QCharOID: true,
	pgtype.DateOID: true, pgtype.TimeOID: true, pgtype.TimetzOID: true, pgtype.TimestampOID: true, pgtype.TimestamptzOID: true,
	pgtype.MacaddrOID: true, pgtype.Macaddr8OID: true,
}
