package rowsync_test

import (
	"reflect"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/model"
	"github.com/rowsync/rowsync/pgtemp"
)

// Twig and Leaf are joined by the leaf's code, which is not its key; only an
// adapter can say so.
type Twig struct {
	ID     int64
	Leaves []*Leaf
}

type Leaf struct {
	ID   int64
	Code string
	Note string
}

func twigs(t *testing.T) *model.Registry {
	t.Helper()
	column := func(of reflect.Type, pos int, name string) *model.Column {
		f := of.Field(pos)
		return &model.Column{Name: name, Field: f.Name, Index: f.Index, Type: f.Type, Pos: pos}
	}
	twig := &model.Model{Type: reflect.TypeFor[Twig](), Schema: "public", Table: "twigs"}
	twig.Columns = []*model.Column{column(twig.Type, 0, "id")}
	leaf := &model.Model{Type: reflect.TypeFor[Leaf](), Schema: "public", Table: "leaves"}
	leaf.Columns = []*model.Column{column(leaf.Type, 0, "id"), column(leaf.Type, 1, "code"), column(leaf.Type, 2, "note")}
	twig.Key, leaf.Key = twig.Columns, leaf.Columns[:1]
	twig.Associations = []*model.Association{{
		Kind: model.ManyToMany, Name: "Leaves", Index: []int{1}, Owner: twig, Target: leaf, Many: true, ElemPointer: true,
		OwnerColumns: twig.Key, TargetColumns: leaf.Columns[1:2],
		Join: &model.Join{Schema: "public", Table: "grows", OwnerColumns: []string{"twig_id"}, TargetColumns: []string{"leaf_code"}},
	}}
	models := model.NewRegistry()
	if err := models.Add(twig); err != nil {
		t.Fatal(err)
	}
	return models
}

// TestRenamedTarget: a target of many to many whose column that the join table
// refers to changes is followed by its new value, and belongs to whom that means.
func TestRenamedTarget(t *testing.T) {
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, `
		create table twigs (id bigint primary key);
		create table leaves (id bigint primary key, code text not null unique, note text not null default '');
		create table grows (twig_id bigint references twigs, leaf_code text references leaves (code) on update cascade);
		insert into twigs values (1), (2); insert into leaves values (1, 'a'); insert into grows values (1, 'a')`)), t}
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Models: twigs(t), Watchers: []rowsync.Watcher{rowsync.WatchModel[Twig](rowsync.With("Leaves"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	q := rowsync.Select{With: []string{"Leaves"}}
	live := query[Twig](t, client, q)
	for _, sql := range []string{
		"update leaves set code = 'b'",
		"update leaves set note = 'heard'",
		"update leaves set code = 'c'; insert into grows values (2, 'c')",
		"update leaves set note = 'heard again'",
	} {
		db.exec(sql)
		fresh, err := rowsync.LoadAll[Twig](t.Context(), client, q)
		if err != nil {
			t.Fatal(err)
		}
		wanted := show(fresh)
		await(t, live, func(v []*Twig, err error) bool { return err == nil && show(v) == wanted })
	}
}
