package model_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rowsync/rowsync/model"
)

// expectation is a type and the description of its table, key and associations.
type expectation struct {
	name string
	typ  func() reflect.Type
	want string
}

func runExpectations(t *testing.T, expectations []expectation) {
	t.Helper()
	for _, c := range expectations {
		t.Run(c.name, func(t *testing.T) {
			m, err := model.NewRegistry().Of(c.typ())
			if err != nil {
				t.Fatal(err)
			}
			got := []string{fmt.Sprintf("%s key=%s", m, columnNames(m.Key))}
			for _, a := range m.Associations {
				got = append(got, describeAssociation(a))
			}
			if text := strings.Join(got, "\n"); text != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", text, c.want)
			}
		})
	}
}

type inBlog struct {
	_  struct{} `rowsync:"table=blog.entries"`
	ID int
}

type Accounts struct{ ID int }

func (*Accounts) TableName() string { return `"0xabcd"."User Accounts"` }

type AgreedTable struct {
	_  struct{} `rowsync:"table=agreed"`
	ID int
}

func (AgreedTable) TableName() string { return "public.agreed" }

type Page[T any] struct {
	ID   int
	Data T `db:"-"`
}

func TestTables(t *testing.T) {
	runExpectations(t, []expectation{
		{"default", func() reflect.Type {
			type BlogCategory struct{ ID int }
			return reflect.TypeFor[BlogCategory]()
		}, "BlogCategory (public.blog_categories) key=[id]"},
		{"tag", func() reflect.Type {
			type Post struct {
				_  struct{} `rowsync:"table=Blog.userPosts"`
				ID int
			}
			return reflect.TypeFor[Post]()
		}, "Post (Blog.userPosts) key=[id]"},
		{"quoted tag", func() reflect.Type {
			type Post struct {
				_  struct{} `rowsync:"table=\"0xabcd\".\"User, Accounts\""`
				ID int
			}
			return reflect.TypeFor[Post]()
		}, "Post (0xabcd.User, Accounts) key=[id]"},
		{"method of the pointer", reflect.TypeFor[Accounts], "Accounts (0xabcd.User Accounts) key=[id]"},
		{"method and tag agree", reflect.TypeFor[AgreedTable], "AgreedTable (public.agreed) key=[id]"},
		{"tag of an embedded struct", func() reflect.Type {
			type Entry struct{ inBlog }
			return reflect.TypeFor[Entry]()
		}, "Entry (blog.entries) key=[id]"},
		{"own tag before that of an embedded struct", func() reflect.Type {
			type Entry struct {
				inBlog
				_ struct{} `rowsync:"table=mine"`
			}
			return reflect.TypeFor[Entry]()
		}, "Entry (public.mine) key=[id]"},
		{"method of an embedded struct", func() reflect.Type {
			type Entry struct{ Accounts }
			return reflect.TypeFor[Entry]()
		}, "Entry (0xabcd.User Accounts) key=[id]"},
		{"type arguments", reflect.TypeFor[Page[int]], "Page[int] (public.pages) key=[id]"},
		{"type without a name", func() reflect.Type {
			return reflect.TypeFor[struct {
				_  struct{} `rowsync:"table=posts"`
				ID int
			}]()
		}, `struct { _ struct {} "rowsync:\"table=posts\""; ID int } (public.posts) key=[id]`},
	})
}

type customKey string

type valuedKey struct{ A, B int }

func (valuedKey) Value() (driver.Value, error) { return "", nil }

func TestKeys(t *testing.T) {
	runExpectations(t, []expectation{
		{"id", func() reflect.Type { type Post struct{ Title, ID string }; return reflect.TypeFor[Post]() }, "Post (public.posts) key=[id]"},
		{"marked, not id", func() reflect.Type {
			type Post struct {
				ID   int
				Code string `rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, "Post (public.posts) key=[code]"},
		{"composite, in field order", func() reflect.Type {
			type Base struct {
				Tenant int `rowsync:"key"`
			}
			type Post struct {
				Number int `rowsync:"key"`
				Base
				At time.Time `db:"postedAt" rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, "Post (public.posts) key=[number tenant postedAt]"},
		{"bytes", func() reflect.Type { type Post struct{ ID []byte }; return reflect.TypeFor[Post]() }, "Post (public.posts) key=[id]"},
		{"uuid", func() reflect.Type { type Post struct{ ID [16]byte }; return reflect.TypeFor[Post]() }, "Post (public.posts) key=[id]"},
		{"named string", func() reflect.Type { type Post struct{ ID customKey }; return reflect.TypeFor[Post]() }, "Post (public.posts) key=[id]"},
		{"with a Value method", func() reflect.Type { type Post struct{ ID valuedKey }; return reflect.TypeFor[Post]() }, "Post (public.posts) key=[id]"},
		{"nullable", func() reflect.Type {
			type Post struct {
				A *int                 `rowsync:"key"`
				B sql.NullInt64        `rowsync:"key"`
				C sql.Null[customKey]  `rowsync:"key"`
				D *sql.Null[time.Time] `rowsync:"key"`
			}
			return reflect.TypeFor[Post]()
		}, "Post (public.posts) key=[a b c d]"},
	})
}

func TestFieldsThatAreNeitherColumnNorAssociation(t *testing.T) {
	type Other struct{ ID int }
	type Post struct {
		ID       int
		Related  []*Other        `db:"-" rowsync:"-"`
		Rank     float64         `db:"rank" rowsync:"-"`
		LoadedAt time.Time       `db:"-"`
		Cache    map[int]*Other  `db:"-"`
		F        func()          `db:"-"`
		Options  struct{ A int } `db:"-"`
		hidden   Other           `db:"hidden"`
		time.Time
	}
	_ = Post{}.hidden
	m := mustOf[Post](t)
	if got, want := describe(m), "Post (public.posts) key=[id]\n  0 id ID [0] int\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestUnusualColumnTypes(t *testing.T) {
	type Recursive []Recursive
	type Meta struct{ ID int }
	type Post struct {
		ID    int
		Any   any
		Many  []*string
		JSON  map[string]Meta
		One   Meta // a column of JSON, for nothing says that pgx skips it
		Tree  Recursive
		Chars [3][]byte
		Null  sql.Null[[]int]
	}
	m := mustOf[Post](t)
	if len(m.Columns) != 8 || len(m.Associations) != 0 {
		t.Error(describe(m))
	}
}

func TestAssociationConventions(t *testing.T) {
	type Tag struct {
		Code string `rowsync:"key"`
	}
	type Country struct {
		CountryID int64 `rowsync:"key"`
	}
	type Line struct {
		ID                       int
		OrderTenant, OrderNumber int64
		ShopID                   sql.NullInt64
	}
	runExpectations(t, []expectation{
		{"composite key", func() reflect.Type {
			type Order struct {
				Tenant, Number int64  `rowsync:"key"`
				Lines          []Line `db:"-"`
				First          *Line  `db:"-" rowsync:"order=id"`
			}
			return reflect.TypeFor[Order]()
		}, `Order (public.orders) key=[tenant number]
Order.Lines has_many [2] → public.lines many=true pointer=false [tenant number]=[order_tenant order_number]
Order.First has_one [3] → public.lines many=false pointer=true [tenant number]=[order_tenant order_number] order id`},
		{"named columns", func() reflect.Type {
			type Store struct {
				ID, Tenant, Number int64
				Lines              []Line `db:"-" rowsync:"key=(order_number,order_tenant),ref=(number,tenant)"`
				Line               *Line  `db:"-" rowsync:"key=shop_id"`
				Again              *Line  `db:"-" rowsync:"has_one,key=shop_id,ref=number"`
				Parent             *Line  `db:"-" rowsync:"key=number"`
			}
			return reflect.TypeFor[Store]()
		}, `Store (public.stores) key=[id]
Store.Lines has_many [3] → public.lines many=true pointer=false [number tenant]=[order_number order_tenant]
Store.Line has_one [4] → public.lines many=false pointer=true [id]=[shop_id]
Store.Again has_one [5] → public.lines many=false pointer=true [number]=[shop_id]
Store.Parent belongs_to [6] → public.lines many=false pointer=true [number]=[id]`},
		{"key of another name", func() reflect.Type {
			type City struct {
				ID        int
				TagCode   string
				TopicID   customKey
				CountryID int64
				HomeID    int64
				Tag       *Tag       `db:"-"`
				Topic     *Tag       `db:"-"`
				Country   *Country   `db:"-"`
				Home      *Country   `db:"-"`
				Tags      []*Tag     `db:"-" rowsync:"many_to_many=other.city_tags"`
				Countries []*Country `db:"-" rowsync:"many_to_many=\"City Countries\""`
			}
			return reflect.TypeFor[City]()
		}, `City (public.cities) key=[id]
City.Tag belongs_to [5] → public.tags many=false pointer=true [tag_code]=[code]
City.Topic belongs_to [6] → public.tags many=false pointer=true [topic_id]=[code]
City.Country belongs_to [7] → public.countries many=false pointer=true [country_id]=[country_id]
City.Home belongs_to [8] → public.countries many=false pointer=true [home_id]=[country_id]
City.Tags many_to_many [9] → public.tags many=true pointer=true [id]=[code] join other.city_tags [city_id],[tag_code]
City.Countries many_to_many [10] → public.countries many=true pointer=true [id]=[country_id] join public.City Countries [city_id],[country_id]`},
		{"within one table", func() reflect.Type {
			type Node struct {
				_        struct{} `rowsync:"table=graph.nodes"`
				ID       int
				ParentID *int
				BossID   int
				Parent   *Node   `db:"-"`
				Boss     *Node   `db:"-" rowsync:"key=boss_id"`
				Heir     *Node   `db:"-" rowsync:"has_one,key=boss_id"`
				Children []*Node `db:"-" rowsync:"key=parent_id,order=id"`
				Links    []*Node `db:"-" rowsync:"many_to_many=links,key=a,ref=b"`
				Uncles   []Node  `db:"-" rowsync:"through=Parent.Parent.Children"`
				Heirs    *Node   `db:"-" rowsync:"through=Uncles.Heir"`
			}
			return reflect.TypeFor[Node]()
		}, `Node (graph.nodes) key=[id]
Node.Parent belongs_to [4] → graph.nodes many=false pointer=true [parent_id]=[id]
Node.Boss belongs_to [5] → graph.nodes many=false pointer=true [boss_id]=[id]
Node.Heir has_one [6] → graph.nodes many=false pointer=true [id]=[boss_id]
Node.Children has_many [7] → graph.nodes many=true pointer=true [id]=[parent_id] order id
Node.Links many_to_many [8] → graph.nodes many=true pointer=true [id]=[id] join graph.links [a],[b]
Node.Uncles through [9] → graph.nodes many=true pointer=false via Node.Parent via Node.Parent via Node.Children
Node.Heirs through [10] → graph.nodes many=false pointer=true via Node.Parent via Node.Parent via Node.Children via Node.Heir`},
		{"in an embedded struct", func() reflect.Type {
			type Lines struct {
				Lines []Line `db:"-" rowsync:"key=shop_id"`
			}
			type Shop struct {
				ID int64
				Lines
			}
			return reflect.TypeFor[Shop]()
		}, `Shop (public.shops) key=[id]
Shop.Lines has_many [1 0] → public.lines many=true pointer=false [id]=[shop_id]`},
		{"tag without db tag", func() reflect.Type {
			type Shop struct {
				ID    int64
				Lines []Line `rowsync:"has_many"`
			}
			return reflect.TypeFor[Shop]()
		}, `Shop (public.shops) key=[id]
Shop.Lines has_many [1] → public.lines many=true pointer=false [id]=[shop_id]`},
		{"embedded pointer as association", func() reflect.Type {
			type City struct {
				ID        int
				CountryID int64
				*Country  `db:"-"`
			}
			return reflect.TypeFor[City]()
		}, `City (public.cities) key=[id]
City.Country belongs_to [2] → public.countries many=false pointer=true [country_id]=[country_id]`},
	})
}
