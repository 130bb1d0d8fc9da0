package model

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

type snowflake int64

func (snowflake) Value() (driver.Value, error) { return "text", nil }

type slug string

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{int64(0), int32(0), true},
		{uint8(0), new(int64), true},
		{int64(0), sql.NullInt64{}, true},
		{int64(0), sql.Null[int32]{}, true},
		{int64(0), pgtype.Int8{}, true},
		{int64(0), float64(0), true},
		{int64(0), pgtype.Numeric{}, true},
		{int64(0), snowflake(0), true},
		{"", slug(""), true},
		{"", pgtype.Text{}, true},
		{"", [16]byte{}, true},
		{"", []byte{}, true},
		{"", time.Time{}, true},
		{[16]byte{}, pgtype.UUID{}, true},
		{[16]byte{}, []byte{}, true},
		{"", snowflake(0), true},
		{time.Time{}, pgtype.Timestamptz{}, true},
		{true, sql.NullBool{}, true},
		{int64(0), "", false},
		{int64(0), slug(""), false},
		{int64(0), sql.NullString{}, false},
		{int64(0), pgtype.Text{}, false},
		{int64(0), [16]byte{}, false},
		{int64(0), pgtype.UUID{}, false},
		{int64(0), true, false},
		{int64(0), time.Time{}, false},
		{pgtype.Int8{}, pgtype.UUID{}, false},
		{float64(0), "", false},
		{true, "", false},
		{[16]byte{}, time.Time{}, false},
	} {
		a, b := reflect.TypeOf(c.a), reflect.TypeOf(c.b)
		if got := compatible(a, b); got != c.want {
			t.Errorf("compatible(%s, %s) = %v", a, b, got)
		}
		if got := compatible(b, a); got != c.want {
			t.Errorf("compatible(%s, %s) = %v", b, a, got)
		}
	}
}

func TestIdentifies(t *testing.T) {
	for _, v := range []any{0, "", []byte{}, [16]byte{}, new(int), time.Time{}, snowflake(0), slug(""), pgtype.UUID{}, pgtype.Numeric{}, sql.NullString{}} {
		if !identifies(reflect.TypeOf(v)) {
			t.Errorf("a %T cannot be a key", v)
		}
	}
	for _, v := range []any{[]int{}, []string{}, [2]int{}, map[string]int{}, func() {}, make(chan int), new(any), new(*int), complex(0, 0)} {
		if identifies(reflect.TypeOf(v)) {
			t.Errorf("a %T can be a key", v)
		}
	}
}
