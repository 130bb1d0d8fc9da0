package model_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/model"
)

// Types whose models an adapter makes.

type Shop struct {
	Number int
	Goods  []*Good
}

type Good struct {
	Code  string
	Shop  *Shop
	Shops []Shop
}

// Visit is a model from struct tags that leads to them.
type Visit struct {
	ID, ShopNumber int
	Shop           *Shop   `db:"-" rowsync:"key=shop_number"`
	Goods          []*Good `db:"-" rowsync:"through=Shop.Goods"`
	Nothing        []*Good `db:"-" rowsync:"-"`
}

// adapted makes the models of Shop and Good that lead to each other.
func adapted() (shop, good *model.Model) {
	shop = adaptedModel[Shop]("shops", "number")
	good = adaptedModel[Good]("goods", "code")
	shop.Associations = []*model.Association{{
		Kind: model.ManyToMany, Name: "Goods", Index: []int{1}, Owner: shop, Target: good, Many: true, ElemPointer: true,
		OwnerColumns: shop.Key, TargetColumns: good.Key,
		Join: &model.Join{Schema: "public", Table: "stock", OwnerColumns: []string{"shop"}, TargetColumns: []string{"good"}},
	}}
	good.Associations = []*model.Association{{
		Kind: model.HasOne, Name: "Shop", Index: []int{1}, Owner: good, Target: shop, ElemPointer: true,
		OwnerColumns: good.Key, TargetColumns: shop.Key,
	}, {
		Kind: model.Through, Name: "Shops", Index: []int{2}, Owner: good, Target: shop, Many: true,
	}}
	good.Associations[1].Through = []*model.Association{good.Associations[0]}
	return shop, good
}

func adaptedModel[T any](table, key string) *model.Model {
	t := reflect.TypeFor[T]()
	c := &model.Column{Name: key, Field: t.Field(0).Name, Index: []int{0}, Type: t.Field(0).Type}
	return &model.Model{Type: t, Schema: "public", Table: table, Columns: []*model.Column{c}, Key: []*model.Column{c}}
}

func TestAdd(t *testing.T) {
	r := model.NewRegistry()
	shop, good := adapted()
	if err := r.Add(shop); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(shop); err != nil {
		t.Errorf("again: %v", err)
	}
	if m, err := model.Of[[]*Shop](r); m != shop || err != nil {
		t.Errorf("Of[Shop] = %v, %v", m, err)
	}
	if m, err := model.Of[Good](r); m != good || err != nil {
		t.Errorf("Of[Good], which Shop leads to, = %v, %v", m, err)
	}
	visit, err := model.Of[Visit](r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `Visit (public.visits) key=[id]
  0 id ID [0] int
  1 shop_number ShopNumber [1] int
  Visit.Shop belongs_to [2] → public.shops many=false pointer=true [shop_number]=[number]
  Visit.Goods through [3] → public.goods many=true pointer=true via Visit.Shop via Shop.Goods
`
	if got := describe(visit); got != want || visit.Association("Shop").Target != shop {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	other, _ := adapted()
	const twice = "model Shop: there is another model of this type, public.shops: add models before the first use of their types, and one for each"
	if err := r.Add(other); err == nil || !strings.HasPrefix(err.Error(), twice) {
		t.Errorf("a second model of Shop: %v", err)
	}
}

func TestOfNamesAssociationsOfAddedModels(t *testing.T) {
	type Visit struct {
		ID, ShopNumber int
		Shop           *Shop   `db:"-" rowsync:"key=shop_number"`
		Goods          []*Good `db:"-" rowsync:"through=Shop.Products"`
	}
	r := model.NewRegistry()
	shop, _ := adapted()
	if err := r.Add(shop); err != nil {
		t.Fatal(err)
	}
	const want = "model Visit: field Goods: path leads nowhere at step Shop.Products, for Shop has no association Products (associations: Goods): write a path of association fields"
	if _, err := model.Of[Visit](r); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAddRefusesWhatIsNotWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(shop, good *model.Model)
		want  string
	}{
		{"type", func(shop, _ *model.Model) { shop.Type = reflect.TypeFor[int]() },
			"model int: Type is no struct type: set Type to the struct type"},
		{"table", func(shop, _ *model.Model) { shop.Schema = "" },
			"model Shop: Schema or Table is empty: set Schema and Table"},
		{"key", func(shop, _ *model.Model) { shop.Key = nil },
			"model Shop: Key is empty: set Key to the columns that identify a row"},
		{"foreign key column", func(shop, _ *model.Model) { shop.Key = []*model.Column{{Name: "a"}} },
			"model Shop: Key has a column that Columns has not: take the elements of Key from Columns"},
		{"nil column", func(shop, _ *model.Model) { shop.Columns = append(shop.Columns, nil) },
			"model Shop: column 1 is nil: set every element of Columns"},
		{"column without name", func(shop, _ *model.Model) { shop.Columns[0].Name = "" },
			"model Shop: field Number: a column has no name: set Name"},
		{"place", func(shop, _ *model.Model) { shop.Columns[0].Pos = 1 },
			"model Shop: field Number: column number is at 0, but its Pos is 1: set Pos to the column's place in Columns"},
		{"index", func(shop, _ *model.Model) { shop.Columns[0].Index = []int{1} },
			"model Shop: field Number: Index of column number does not lead to a field of type int: set Index and Type to those of the field, with no pointer on the way"},
		{"two of one name", func(shop, _ *model.Model) {
			c := *shop.Columns[0]
			c.Pos = 1
			shop.Columns = append(shop.Columns, &c)
		}, "model Shop: field Number: column number belongs to field Number already: keep one of them"},
		{"nil association", func(shop, _ *model.Model) { shop.Associations = append(shop.Associations, nil) },
			"model Shop: an association is nil: set every element of Associations"},
		{"two associations of one name", func(shop, _ *model.Model) {
			shop.Associations = append(shop.Associations, shop.Associations[0])
		}, "model Shop: field Goods: two associations have this name: give each association another name"},
		{"owner", func(shop, good *model.Model) { shop.Associations[0].Owner = good },
			"model Shop: field Goods: Owner is another model: set Owner to the model that has the association"},
		{"target", func(shop, _ *model.Model) { shop.Associations[0].Target = nil },
			"model Shop: field Goods: Target is nil: set Target"},
		{"shape", func(shop, _ *model.Model) { shop.Associations[0].ElemPointer = false },
			"model Shop: field Goods: Index does not lead to a field that holds Good as Many and ElemPointer say: set Index, Many and ElemPointer to those of the field"},
		{"field", func(shop, _ *model.Model) { shop.Associations[0].Index = []int{9} },
			"model Shop: field Goods: Index does not lead to a field that holds Good as Many and ElemPointer say: set Index, Many and ElemPointer to those of the field"},
		{"kind", func(shop, _ *model.Model) { shop.Associations[0].Kind = 0 },
			"model Shop: field Goods: there is no kind 0: set Kind"},
		{"kind and shape", func(shop, _ *model.Model) { shop.Associations[0].Kind = model.HasOne },
			"model Shop: field Goods: has_one does not go with Many true: change Kind or the field"},
		{"pairs", func(shop, _ *model.Model) { shop.Associations[0].OwnerColumns = nil },
			"model Shop: field Goods: OwnerColumns has 0 columns, TargetColumns 1: set OwnerColumns and TargetColumns to pairs of columns"},
		{"columns of another model", func(shop, good *model.Model) { shop.Associations[0].OwnerColumns = good.Key },
			"model Shop: field Goods: OwnerColumns or TargetColumns has a column that its model has not: take them from the models' Columns"},
		{"join", func(shop, _ *model.Model) { shop.Associations[0].Join = nil },
			"model Shop: field Goods: Join is not whole: set Join with schema, table and one column for each of OwnerColumns and TargetColumns"},
		{"path", func(shop, good *model.Model) {
			good.Associations[1].Through = []*model.Association{shop.Associations[0]}
		}, "model Good: field Shops: step 1 of Through does not fit: let each step begin where the last one ends, and replace through associations by their own path"},
		{"two models of one type", func(_, good *model.Model) {
			other, _ := adapted()
			good.Associations[0].Target, good.Associations[0].TargetColumns = other, other.Key
			good.Associations = good.Associations[:1]
		}, "model Shop: there is another model of this type, public.shops: add models before the first use of their types, and one for each"},
		{"no path", func(_, good *model.Model) { good.Associations[1].Through = nil },
			"model Good: field Shops: Through does not lead to Target: let the last step end at Target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			shop, good := adapted()
			c.spoil(shop, good)
			r := model.NewRegistry()
			err := r.Add(shop)
			if err == nil {
				t.Fatal("no error")
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); first != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, c.want)
			}
			if m, err := model.Of[Good](r); m == good {
				t.Errorf("a model was taken over all the same (%v)", err)
			}
		})
	}
	if err := model.NewRegistry().Add(nil); err == nil {
		t.Error("nil was taken over")
	}
}

// TestAddUnevenJoin: the two sides of a join table may have different numbers of
// columns; each must fit its own end.
func TestAddUnevenJoin(t *testing.T) {
	shop, good := adapted()
	extra := &model.Column{Name: "code2", Field: "Code", Index: []int{0}, Type: reflect.TypeFor[string](), Pos: 1}
	good.Columns = append(good.Columns, extra)
	good.Associations = nil
	a := shop.Associations[0]
	a.TargetColumns = []*model.Column{good.Key[0], extra}
	a.Join.TargetColumns = []string{"good", "good2"}
	if err := model.NewRegistry().Add(shop); err != nil {
		t.Errorf("a join table with one and two columns: %v", err)
	}
	a.Join.TargetColumns = []string{"good"}
	if err := model.NewRegistry().Add(shop); err == nil || !strings.Contains(err.Error(), "Join is not whole") {
		t.Errorf("a join table that lacks a column: %v", err)
	}
}
