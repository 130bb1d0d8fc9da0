package model_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/model"
)

// row is a row with the given columns. It keeps where pgx wants the values.
type row struct {
	columns []string
	targets []any
}

func (r *row) FieldDescriptions() []pgconn.FieldDescription {
	fields := make([]pgconn.FieldDescription, len(r.columns))
	for i, name := range r.columns {
		fields[i].Name = name
	}
	return fields
}

func (r *row) Scan(dest ...any) error { r.targets = dest; return nil }

func (r *row) Values() ([]any, error) { return nil, fmt.Errorf("not in this test") }

func (r *row) RawValues() [][]byte { return nil }

type base struct {
	ID        int64
	CreatedAt time.Time
}

type Audit struct {
	base
	UpdatedBy string `db:"updated_by,omitempty"`
}

type Everything struct {
	Audit       `json:"audit"`
	HTTPServer  string
	UserIDs     []int64
	OAuth2Token string
	IPv4        string
	Snake_Case  int    //nolint:staticcheck // pgx takes underscores out of such a name
	Quoted      string `db:"Some Name"`
	Upper       string `db:"UPPER"`
	Lower       string `db:"upper"`
	Skipped     string `db:"-"`
	hidden      string
	Tags        []*Tag `db:"-" rowsync:"many_to_many=everything_tags"`
	time.Time
}

// pgx and the model must see the same columns in the same fields.
func TestPgxReadsTheSameStruct(t *testing.T) {
	_ = Everything{}.hidden
	samePlaces[Everything](t)
	samePlaces[Person](t)
	samePlaces[Post](t)
	samePlaces[Comment](t)
}

func samePlaces[T any](t *testing.T) {
	t.Helper()
	m := mustOf[T](t)
	for _, reversed := range []bool{false, true} {
		columns := slices.Clone(m.Columns)
		if reversed {
			slices.Reverse(columns)
		}
		r := &row{columns: columnNames(columns)}
		// It fails if a column has no field, or a field no column.
		value, err := pgx.RowToAddrOfStructByName[T](r)
		if err != nil {
			t.Errorf("%s: %v", m, err)
			continue
		}
		for i, c := range columns {
			if got, want := r.targets[i], reflect.ValueOf(value).Elem().FieldByIndex(c.Index).Addr(); want.CanInterface() && got != want.Interface() {
				t.Errorf("%s: pgx reads column %s into another field than %s", m, c.Name, c.Field)
			}
		}
	}
}

// What the model refuses would go wrong with pgx.
func TestPgxReadsTheLastOfTwoFields(t *testing.T) {
	type Base struct{ ID int64 }
	type Post struct {
		ID int64
		Base
	}
	if _, err := model.Of[Post](model.NewRegistry()); err == nil {
		t.Error("no error")
	}
	r := &row{columns: []string{"id"}}
	value, err := pgx.RowToAddrOfStructByName[Post](r)
	if err != nil || r.targets[0] != any(&value.Base.ID) {
		t.Errorf("pgx now reads another field (%v): two fields of one column may be told apart", err)
	}
}
