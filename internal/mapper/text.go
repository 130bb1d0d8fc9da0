package mapper

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/internal/catalog"
)

// A pgtype.Map caches its plans without a lock, so each user takes one of its own.
var typeMaps = sync.Pool{New: func() any { return pgtype.NewMap() }}

// Canon returns the function that brings PostgreSQL's text of a column's value
// to canonical form, or nil where the text is canonical already.
func Canon(c *catalog.Column) func(string) string {
	switch c.OID {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID,
		pgtype.TextOID, pgtype.VarcharOID, pgtype.NameOID:
		return nil
	case pgtype.BPCharOID:
		return func(s string) string { return strings.TrimRight(s, " ") }
	case pgtype.BoolOID:
		return func(s string) string {
			if strings.HasPrefix(s, "t") {
				return "true"
			}
			return "false"
		}
	case pgtype.NumericOID:
		return canonNumeric
	}
	if c.Base == "citext" {
		return strings.ToLower
	}
	if _, known := pgtype.NewMap().TypeForOID(c.OID); !known {
		return nil
	}
	return func(s string) string { return roundTrip(c.OID, s) }
}

// roundTrip reads text as pgx does and writes it again, which gives equal
// values of dates, floats, bytes and the like equal texts.
func roundTrip(oid uint32, text string) string {
	m := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	t, _ := m.TypeForOID(oid)
	v, err := t.Codec.DecodeValue(m, oid, pgtype.TextFormatCode, []byte(text))
	if err != nil {
		return text
	}
	out, err := m.Encode(oid, pgtype.TextFormatCode, v, nil)
	if err != nil || out == nil {
		return text
	}
	return string(out)
}

// wholeNumber reports whether a column holds integers.
func wholeNumber(c *catalog.Column) bool {
	return c.OID == pgtype.Int2OID || c.OID == pgtype.Int4OID || c.OID == pgtype.Int8OID
}

// valid checks that text is a value of a column, as far as pgx knows its type.
func valid(c *catalog.Column, text string) error {
	m := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	t, known := m.TypeForOID(c.OID)
	if !known {
		return nil
	}
	if _, err := t.Codec.DecodeValue(m, c.OID, pgtype.TextFormatCode, []byte(text)); err != nil {
		return fmt.Errorf("%q is no %s: %w", text, c.Type, err)
	}
	return nil
}

// maxExponent is more than the digits that a numeric may have before its point
// (131,072), and after it (16,383).
const maxExponent = 200_000

// canonNumeric writes a decimal number without exponent and without the zeros
// that do not change its value: 1.50, 15e-1 and 01.5 are all "1.5".
func canonNumeric(s string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	exp, err := strconv.Atoi(exponent)
	if exponent != "" && err != nil {
		return s
	}
	sign := ""
	switch {
	case strings.HasPrefix(mantissa, "-"):
		sign, mantissa = "-", mantissa[1:]
	case strings.HasPrefix(mantissa, "+"):
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if strings.Trim(digits, "0123456789") != "" { // NaN, Infinity
		return s
	}
	if exp > maxExponent || exp < -maxExponent {
		return s // no numeric of PostgreSQL's, and too long to write out
	}
	point := len(whole) + exp
	digits += strings.Repeat("0", max(0, point-len(digits)))
	if point < 0 {
		digits = strings.Repeat("0", -point) + digits
		point = 0
	}
	whole = strings.TrimLeft(digits[:point], "0")
	fraction = strings.TrimRight(digits[point:], "0")
	switch {
	case whole == "" && fraction == "":
		return "0"
	case whole == "":
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}

// encoder returns the canonical text of a field's value, or false for null.
type encoder func(v reflect.Value) (text string, ok bool, err error)

var (
	driverValuer = reflect.TypeFor[driver.Valuer]()
	int64Valuer  = reflect.TypeFor[pgtype.Int64Valuer]()
	textValuer   = reflect.TypeFor[pgtype.TextValuer]()
)

func speaksForItself(t reflect.Type) bool {
	return t.Implements(driverValuer) || t.Implements(int64Valuer) || t.Implements(textValuer)
}

// newEncoder returns the encoder for fields of type t that hold column c.
func newEncoder(c *catalog.Column, t reflect.Type) encoder {
	if t.Kind() == reflect.Pointer {
		elem := newEncoder(c, t.Elem())
		return func(v reflect.Value) (string, bool, error) {
			if v.IsNil() {
				return "", false, nil
			}
			return elem(v.Elem())
		}
	}
	if c.OID == pgtype.UUIDOID && t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8 {
		return encodeUUID
	}
	if !speaksForItself(t) {
		switch c.OID {
		case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
			if v := reflect.Zero(t); v.CanInt() {
				return func(v reflect.Value) (string, bool, error) { return strconv.FormatInt(v.Int(), 10), true, nil }
			} else if v.CanUint() {
				return func(v reflect.Value) (string, bool, error) { return strconv.FormatUint(v.Uint(), 10), true, nil }
			}
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.NameOID:
			if t.Kind() == reflect.String {
				return func(v reflect.Value) (string, bool, error) { return v.String(), true, nil }
			}
		}
	}
	canon := Canon(c)
	return func(v reflect.Value) (string, bool, error) {
		m := typeMaps.Get().(*pgtype.Map)
		defer typeMaps.Put(m)
		text, err := m.Encode(c.OID, pgtype.TextFormatCode, v.Interface(), nil)
		if err != nil {
			return "", false, fmt.Errorf("encode column %s from %s: %w", c.Name, t, err)
		}
		if text == nil {
			return "", false, nil
		}
		if canon == nil {
			return string(text), true, nil
		}
		return canon(string(text)), true, nil
	}
}

func encodeUUID(v reflect.Value) (string, bool, error) {
	var raw [16]byte
	reflect.Copy(reflect.ValueOf(&raw).Elem(), v)
	var b [36]byte
	hex.Encode(b[0:8], raw[0:4])
	hex.Encode(b[9:13], raw[4:6])
	hex.Encode(b[14:18], raw[6:8])
	hex.Encode(b[19:23], raw[8:10])
	hex.Encode(b[24:36], raw[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:]), true, nil
}
