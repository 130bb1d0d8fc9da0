package mapper_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/model"
	"github.com/rowsync/rowsync/pgtemp"
)

type holder[T any] struct {
	ID    int64 `db:"id"`
	Value T     `db:"value"`
}

// text returns the canonical text that a Go value has for a column of the type.
func text[T any](t *testing.T, conn *pgx.Conn, sqlType string, value T) string {
	t.Helper()
	ctx := t.Context()
	_, err := conn.Exec(ctx, fmt.Sprintf("drop table if exists held; create table held (id bigint primary key, value %s)", sqlType))
	if err != nil {
		t.Fatal(err)
	}
	found, err := catalog.Load(ctx, conn, []catalog.Name{{Schema: "public", Table: "held"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Of[holder[T]](model.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	b, err := mapper.New(m, found[catalog.Name{Schema: "public", Table: "held"}])
	if err != nil {
		t.Fatal(err)
	}
	row := holder[T]{ID: 1, Value: value}
	fromGo, ok, err := b.KeyOf(reflect.ValueOf(&row).Elem(), []*model.Column{m.Column("value")})
	if err != nil || !ok {
		t.Fatalf("text of %v: %v, %v", value, ok, err)
	}
	// The same value as PostgreSQL writes it, read back into the field.
	var written string
	if err := conn.QueryRow(ctx, fmt.Sprintf("select $1::text::%s::text", sqlType), string(fromGo)).Scan(&written); err != nil {
		t.Fatalf("PostgreSQL does not take %q as %s: %v", fromGo, sqlType, err)
	}
	canon := b.Canon([]*model.Column{m.Column("value")})
	fromDB, ok := canon.Key([]*string{&written})
	if !ok || fromDB != fromGo {
		t.Errorf("%s: %v is %q in Go and %q in PostgreSQL", sqlType, value, fromGo, fromDB)
	}
	return string(fromGo)
}

type myInt int32

type myString string

// TestKeysAgree: a key that PostgreSQL wrote and one that a Go value holds have
// the same text, in every Go type that pgx can put into the column.
func TestKeysAgree(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtemp.Shared(t).Database(t, "create type mood as enum ('sad', 'happy'); create domain score as integer"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	uuid := [16]byte{0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.FixedZone("somewhere", 7200))
	equal := func(a, b string) {
		t.Helper()
		if a != b {
			t.Errorf("%q and %q should be the same", a, b)
		}
	}
	equal(text(t, conn, "bigint", int64(-5)), "-5")
	equal(text(t, conn, "integer", myInt(7)), "7")
	equal(text(t, conn, "score", uint8(9)), "9")
	equal(text(t, conn, "bigint", pgtype.Int8{Int64: 3, Valid: true}), "3")
	equal(text(t, conn, "text", `a"b\c`), `a"b\c`)
	equal(text(t, conn, "varchar(10)", myString("x")), "x")
	equal(text(t, conn, "char(5)", "ab"), text(t, conn, "char(5)", "ab   "))
	equal(text(t, conn, "uuid", uuid), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	equal(text(t, conn, "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	equal(text(t, conn, "uuid", pgtype.UUID{Bytes: uuid, Valid: true}), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	equal(text(t, conn, "boolean", true), "true")
	equal(text(t, conn, "numeric", "12345678901234567890.123456789"), "12345678901234567890.123456789")
	equal(text(t, conn, "numeric", "1.50"), text(t, conn, "numeric", 1.5))
	equal(text(t, conn, "numeric", int64(1000)), "1000")
	equal(text(t, conn, "timestamptz", noon), text(t, conn, "timestamptz", noon.UTC()))
	text(t, conn, "timestamp", noon.UTC())
	text(t, conn, "date", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	text(t, conn, "bytea", []byte{0, 1, 255, '\\'})
	text(t, conn, "double precision", 0.1)
	text(t, conn, "real", float32(0.1))
	text(t, conn, "interval", pgtype.Interval{Months: 1, Days: 2, Microseconds: 3, Valid: true})
	equal(text(t, conn, "mood", "happy"), "happy")
	text(t, conn, "inet", "10.0.0.1/8")
}

func TestKeyJoins(t *testing.T) {
	for _, texts := range [][]string{{"a"}, {""}, {"a", "b"}, {"", ""}, {"1:2", ":"}, {"ü", "3:abc", ""}} {
		if got := mapper.Join(texts...).Split(len(texts)); !reflect.DeepEqual(got, texts) {
			t.Errorf("%q came back as %q", texts, got)
		}
	}
	if mapper.Join("a", "bc") == mapper.Join("ab", "c") {
		t.Error("different keys have the same text")
	}
}
