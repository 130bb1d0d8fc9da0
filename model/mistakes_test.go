package model_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/model"
)

// mistake is a type with something wrong in it and what is said about it. The
// types have the names they would have in a program, and so each stands in a
// function of its own.
type mistake struct {
	name string
	typ  func() reflect.Type
	want string // several lines for several mistakes
}

func runMistakes(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			r := model.NewRegistry()
			typ := c.typ()
			m, err := r.Of(typ)
			if err == nil {
				t.Fatalf("no error, but %s", describe(m))
			}
			if err.Error() != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, c.want)
			}
			e, ok := errors.AsType[*model.ModelError](err)
			if !ok {
				t.Fatalf("%T is not a *ModelError", err)
			}
			if e.Type == "" || e.Problem == "" || e.Mend == "" {
				t.Errorf("type, problem or mend is missing in %+v", e)
			}
			if _, again := r.Of(typ); again == nil || again.Error() != c.want {
				t.Errorf("the second time: %v", again)
			}
		})
	}
}

func TestMistakesInColumns(t *testing.T) {
	runMistakes(t, []mistake{
		{"function", func() reflect.Type {
			type Post struct {
				ID int
				F  func()
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field F: no column can be read into type func(): write db:"-" on it, or give it a type that a column can have`},
		{"pointer to slice of channels", func() reflect.Type {
			type Post struct {
				ID int
				C  *[]chan int
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field C: no column can be read into type *[]chan int: write db:"-" on it, or give it a type that a column can have`},
		{"complex number in a key", func() reflect.Type {
			type Post struct {
				C complex128 `rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field C: no column can be read into type complex128: write db:"-" on it, or give it a type that a column can have`},
		{"two tags for one column", func() reflect.Type {
			type Post struct {
				ID    int
				Title string
				Name  string `db:"title,omitempty"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Name: column title belongs to field Title already: give one of them another column, or db:"-"`},
		{"an embedded column is not shadowed", func() reflect.Type {
			type Base struct{ ID int }
			type Post struct {
				Base
				ID int
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field ID: column id belongs to field Base.ID already: give one of them another column, or db:"-"`},
		{"pgx cannot tell them apart", func() reflect.Type {
			type Post struct {
				ID     int
				UserID int
				Userid int
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Userid: pgx cannot tell its column userid from column user_id of field UserID: write a db tag on both`},
		{"empty name", func() reflect.Type {
			type Post struct {
				ID        int
				UpdatedAt string `db:",omitempty"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field UpdatedAt: the db tag names no column: write db:"updated_at", or leave the db tag out`},
		{"embedded pointer", func() reflect.Type {
			type Base struct{ Title string }
			type Post struct {
				ID int
				*Base
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Base: pgx does not read the fields of an embedded pointer: embed the struct itself, give the field a name, or write db:"-"`},
		{"embedded unexported number", func() reflect.Type {
			type number int
			type Post struct {
				ID int
				number
			}
			_ = Post{}.number
			return reflect.TypeFor[Post]()
		}, `model Post: field number: pgx takes the embedded field for a column and cannot set it: export the type, give the field a name, or write db:"-"`},
		{"tag on an embedded struct", func() reflect.Type {
			type Base struct{ Title string }
			type Post struct {
				ID   int
				Base `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Base: the tag has no effect, for pgx reads the fields of an embedded struct in any case: remove the tag, or give the field a name`},
		{"path of embedded structs", func() reflect.Type {
			type Inner struct{ F func() }
			type Meta struct{ Inner }
			type Post struct {
				ID int
				Meta
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Meta.Inner.F: no column can be read into type func(): write db:"-" on it, or give it a type that a column can have`},
		{"all mistakes together", func() reflect.Type {
			type Tag struct {
				ID int
				C  chan int
			}
			type Post struct {
				ID    int
				F     func()
				Title string
				Name  string `db:"title"`
				Tags  []Tag  `db:"-" rowsync:"many_to_many"`
				More  []Tag  `db:"-" rowsync:"many_to_many=posts_tags"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field F: no column can be read into type func(): write db:"-" on it, or give it a type that a column can have
model Post: field Name: column title belongs to field Title already: give one of them another column, or db:"-"
model Post: field Tags: no table for many to many: write rowsync:"many_to_many=posts_tags"
model Tag: field C: no column can be read into type chan int: write db:"-" on it, or give it a type that a column can have`},
	})
}

func TestMistakesInKeys(t *testing.T) {
	const noKey = ` cannot identify a row: use a number, a string, []byte, a fixed array of bytes or a type with a Value method`
	runMistakes(t, []mistake{
		{"none", func() reflect.Type {
			type Post struct{ Title, Body string }
			return reflect.TypeFor[Post]()
		}, `model Post: it has no column id and no field marked as key (columns: title, body): write rowsync:"key" on each field of the primary key`},
		{"no columns", func() reflect.Type {
			return reflect.TypeFor[time.Time]()
		}, `model Time: it has no columns: use a struct with a field for each column`},
		{"slice", func() reflect.Type {
			type Post struct{ ID []int }
			return reflect.TypeFor[Post]()
		}, `model Post: field ID: type []int` + noKey},
		{"map", func() reflect.Type {
			type Post struct {
				Labels map[string]string `rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Labels: type map[string]string` + noKey},
		{"interface", func() reflect.Type {
			type Post struct{ ID any }
			return reflect.TypeFor[Post]()
		}, `model Post: field ID: type interface {}` + noKey},
		{"not a column", func() reflect.Type {
			type Post struct {
				ID int
				A  int `db:"-" rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field A: a part of the primary key has db:"-": name the column in the db tag, or remove rowsync:"key"`},
	})
}

func TestMistakesInTags(t *testing.T) {
	type Tag struct{ ID int }
	// Each tag stands on the field Tags of a Post.
	for _, c := range []struct{ tag, want string }{
		{``, `an option is empty: remove the tag or the comma too many`},
		{`has_many,`, `an option is empty: remove the tag or the comma too many`},
		{`order=id,`, `an option is empty: remove the tag or the comma too many`},
		{`hasmany`, `unknown option "hasmany": use one of belongs_to, has_one, has_many, many_to_many=, through=, key, key=, ref=, where=, order=, table=, -`},
		{`where=a = 1,sort=id`, `unknown option "sort": use one of belongs_to, has_one, has_many, many_to_many=, through=, key, key=, ref=, where=, order=, table=, -`},
		{`key=a,key=b`, `option key stands there twice: keep one of them`},
		{`order=a,where=x,order=b`, `option order stands there twice: keep one of them`},
		{`has_one,has_many`, `it cannot be both has_one and has_many: keep one of them`},
		{`belongs_to,many_to_many=a`, `it cannot be both belongs_to and many_to_many: keep one of them`},
		{`has_many=comments`, `option has_many takes no value: write has_many alone`},
		{`where=`, `option where has no value: write a value after where=`},
		{`ref`, `option ref has no value: write a value after ref=`},
		{`key=(a,b`, `) is missing in key=(a,b: close what is open, and double a quote within quotes`},
		{`where=a = 'b`, `' is not closed in where=a = 'b: close what is open, and double a quote within quotes`},
		{`where=a = 1)`, `) closes nothing in where=a = 1): close what is open, and double a quote within quotes`},
		{`where=(a = 1]`, `] closes nothing in where=(a = 1]: close what is open, and double a quote within quotes`},
		{`key=(a,a)`, `option key=: a stands there twice: write key=column, or key=(first,second)`},
		{`key=(a,)`, `option key=: a name is empty: write key=column, or key=(first,second)`},
		{`ref="a"b"c"`, `option ref=: "a"b"c" is no name: write ref=column, or ref=(first,second)`},
		{`many_to_many=a.b.c`, `option many_to_many=: a.b.c has 3 parts, but a table's name is schema.table: write many_to_many=table, many_to_many=schema.table, or with quotes as in SQL`},
		{`many_to_many=a.`, `option many_to_many=: a name is empty: write many_to_many=table, many_to_many=schema.table, or with quotes as in SQL`},
		{`-,has_many`, `- stands beside other options: write rowsync:"-" alone, or remove the dash`},
		{`key,has_many`, `key, which marks a column of the primary key, stands beside other options: write rowsync:"key" on the column and the rest on the association's field`},
		{`table=a,has_many`, `table= stands beside other options: write the table alone on the blank field`},
		{`table=blog.posts`, "table= stands on a field that has a name: write it on a blank field: _ struct{} `rowsync:\"table=blog.posts\"`"},
		{`through=A.B,key=x`, `a through association has no key= and no ref=, its path has them: remove key= and ref=, or name another kind`},
	} {
		t.Run(c.tag, func(t *testing.T) {
			typ := reflect.StructOf([]reflect.StructField{
				{Name: "ID", Type: reflect.TypeFor[int]()},
				{Name: "Tags", Type: reflect.TypeFor[[]Tag](), Tag: reflect.StructTag(`db:"-" rowsync:` + strconv.Quote(c.tag))},
				{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `rowsync:"table=posts"`},
			})
			_, err := model.NewRegistry().Of(typ)
			if err == nil {
				t.Fatal("no error")
			}
			// The type has no name of its own, and its description is long.
			_, got, _ := strings.Cut(err.Error(), ": field Tags: ")
			if got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, c.want)
			}
		})
	}
}

func TestMistakesInStructTags(t *testing.T) {
	const mend = `: write tags as name:"value", with a backslash before each quote in the value`
	for _, c := range []struct {
		tag  reflect.StructTag
		want string
	}{
		{`rowsync:"table="0xabcd"."User Accounts""`, `the struct tag cannot be read from rowsync:"table="0xabcd"."User Accounts"" on`},
		{`db:"-" rowsync:has_many`, `the struct tag cannot be read from rowsync:has_many on`},
		{`db="-" rowsync:"has_many"`, `the struct tag cannot be read from db="-" rowsync:"has_many" on`},
		{`db:"-"rowsync:"has_many"`, `the struct tag cannot be read from db:"-"rowsync:"has_many" on`},
		{`json:"a",rowsync:"has_many"`, `the struct tag cannot be read from json:"a",rowsync:"has_many" on`},
		{`rowsync:"has_many`, `the struct tag cannot be read from rowsync:"has_many on`},
	} {
		_, err := model.NewRegistry().Of(reflect.StructOf([]reflect.StructField{
			{Name: "ID", Type: reflect.TypeFor[int]()},
			{Name: "Tags", Type: reflect.TypeFor[[]int](), Tag: c.tag},
			{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `rowsync:"table=posts"`},
		}))
		if err == nil || !strings.HasSuffix(err.Error(), ": field Tags: "+c.want+mend) {
			t.Errorf("%s: got %v, want %s", c.tag, err, c.want)
		}
	}
}

// Tables that the method TableName names.

type TwoTables struct {
	_  struct{} `rowsync:"table=a"`
	ID int
}

func (TwoTables) TableName() string { return "b" }

type OddTable struct{ ID int }

func (*OddTable) TableName() string { return "a.b.c" }

type NoTable struct{ ID int }

func (NoTable) TableName() string { return "" }

type PanickingTable struct {
	ID           int
	*WithPointer `db:"-"`
}

type WithPointer struct{ Name string }

func (w *WithPointer) TableName() string { return w.Name }

func TestMistakesInTables(t *testing.T) {
	runMistakes(t, []mistake{
		{"tag and method", reflect.TypeFor[TwoTables],
			`model TwoTables: its tag names table a, its method TableName b: remove one, or let both say the same`},
		{"three parts", reflect.TypeFor[OddTable],
			`model OddTable: its method TableName returns "a.b.c": a.b.c has 3 parts, but a table's name is schema.table: let it return "table", "schema.table", or names quoted as in SQL`},
		{"empty", reflect.TypeFor[NoTable],
			`model NoTable: its method TableName returns "": a name is empty: let it return "table", "schema.table", or names quoted as in SQL`},
		{"panic", reflect.TypeFor[PanickingTable],
			`model PanickingTable: its method TableName panics on an empty value: runtime error: invalid memory address or nil pointer dereference: let it return a constant`},
		{"no name", func() reflect.Type { return reflect.TypeFor[struct{ ID int }]() },
			"model struct { ID int }: a type without a name has no default table: add a field _ struct{} `rowsync:\"table=…\"`, or give the type a name"},
		{"two blank fields", func() reflect.Type {
			type Post struct {
				_  struct{} `rowsync:"table=a"`
				_  struct{} `rowsync:"table=b"`
				ID int
			}
			return reflect.TypeFor[Post]()
		}, `model Post: two blank fields name tables a and b: keep one of them`},
		{"something else on the blank field", func() reflect.Type {
			type Post struct {
				_  struct{} `rowsync:"key"`
				ID int
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field _: a blank field can only name the table: write rowsync:"table=…", or give the field a name`},
	})
}
