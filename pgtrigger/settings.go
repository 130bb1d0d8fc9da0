package pgtrigger

import (
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/internal/catalog"
)

// The settings that decide how values look as text. A trigger function sets
// those that its columns depend on, and no others, for each costs time in
// every call.
const (
	setDates     = "DateStyle = 'ISO, YMD'"
	setZone      = "TimeZone = 'UTC'"
	setIntervals = "IntervalStyle = 'postgres'"
	setFloats    = "extra_float_digits = 1"
	setBytes     = "bytea_output = 'hex'"
	setMoney     = "lc_monetary = 'C'"
)

var everySetting = []string{setDates, setZone, setIntervals, setFloats, setBytes, setMoney}

// settingsOf lists what the text of a type depends on. A type that is not
// here, an array or a composite say, is taken to depend on all of them.
var settingsOf = map[uint32][]string{
	pgtype.BoolOID: nil, pgtype.Int2OID: nil, pgtype.Int4OID: nil, pgtype.Int8OID: nil, pgtype.OIDOID: nil,
	pgtype.NumericOID: nil, pgtype.TextOID: nil, pgtype.VarcharOID: nil, pgtype.BPCharOID: nil, pgtype.NameOID: nil,
	pgtype.QCharOID: nil, pgtype.UUIDOID: nil, pgtype.JSONOID: nil, pgtype.JSONBOID: nil,
	pgtype.InetOID: nil, pgtype.CIDROID: nil, pgtype.MacaddrOID: nil, pgtype.Macaddr8OID: nil,
	pgtype.BitOID: nil, pgtype.VarbitOID: nil,
	pgtype.Int2ArrayOID: nil, pgtype.Int4ArrayOID: nil, pgtype.Int8ArrayOID: nil,
	pgtype.TextArrayOID: nil, pgtype.VarcharArrayOID: nil, pgtype.UUIDArrayOID: nil,

	pgtype.DateOID: {setDates}, pgtype.TimestampOID: {setDates}, pgtype.TimestamptzOID: {setDates, setZone},
	pgtype.TimeOID: {setDates}, pgtype.TimetzOID: {setDates, setZone}, pgtype.IntervalOID: {setIntervals},
	pgtype.Float4OID: {setFloats}, pgtype.Float8OID: {setFloats}, pgtype.ByteaOID: {setBytes},
}

// settingsFor returns the settings that the columns' text depends on.
func settingsFor(columns []string, table *catalog.Table) []string {
	var needed []string
	for _, name := range columns {
		column := table.Column(name)
		depends, known := settingsOf[column.OID]
		if !known && column.TypeKind != 'e' {
			depends = everySetting
		}
		needed = append(needed, depends...)
	}
	slices.Sort(needed)
	return slices.Compact(needed)
}
