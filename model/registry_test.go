package model_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/rowsync/rowsync/model"
)

// describe writes a model down, one line for each thing in it.
func describe(m *model.Model) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s key=%s\n", m, columnNames(m.Key))
	for i, c := range m.Columns {
		fmt.Fprintf(&b, "  %d %s %s %v %s\n", c.Pos, c.Name, c.Field, c.Index, c.Type)
		if c.Pos != i {
			fmt.Fprintf(&b, "  wrong place %d\n", i)
		}
	}
	for _, a := range m.Associations {
		fmt.Fprintf(&b, "  %s\n", describeAssociation(a))
	}
	return b.String()
}

func describeAssociation(a *model.Association) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %v → %s many=%v pointer=%v", a, a.Kind, a.Index, a.Target.Name(), a.Many, a.ElemPointer)
	if len(a.OwnerColumns) > 0 {
		fmt.Fprintf(&b, " %s=%s", columnNames(a.OwnerColumns), columnNames(a.TargetColumns))
	}
	if a.Join != nil {
		fmt.Fprintf(&b, " join %s %s,%s", a.Join.Name(), a.Join.OwnerColumns, a.Join.TargetColumns)
	}
	for _, step := range a.Through {
		fmt.Fprintf(&b, " via %s", step)
	}
	if a.Where != "" {
		fmt.Fprintf(&b, " where %s", a.Where)
	}
	if a.Order != "" {
		fmt.Fprintf(&b, " order %s", a.Order)
	}
	return b.String()
}

func columnNames(columns []*model.Column) []string {
	names := []string{}
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

func TestOfDescribesColumnsAndAssociations(t *testing.T) {
	const want = `
Person (public.people) key=[id]
  0 id ID [0] int64
  1 name Name [1] string
  Person.Posts has_many [2] → public.posts many=true pointer=true [id]=[person_id]
  Person.TestPosts has_many [3] → public.posts many=true pointer=false [id]=[person_id] where name in ('test','a,b') order created_at desc, id
  Person.Profile has_one [4] → public.profiles many=false pointer=true [id]=[person_id]
  Person.AllTags through [5] → public.tags many=true pointer=true via Person.Posts via Post.Tags where name <> ''
  Person.Comments through [6] → public.comments many=true pointer=false via Person.Posts via Post.Comments
  Person.Fans many_to_many [7] → public.people many=true pointer=true [id]=[id] join public.favourite_people [child_id],[parent_id]
Post (public.posts) key=[id]
  0 id ID [0] int64
  1 title Title [1] string
  2 person_id PersonID [2] *int64
  3 editor_id EditorID [3] *int64
  4 created_at Timestamps.CreatedAt [4 0] time.Time
  5 updated_at Timestamps.UpdatedAt [4 1] *time.Time
  Post.Person belongs_to [5] → public.people many=false pointer=true [person_id]=[id]
  Post.Author belongs_to [6] → public.people many=false pointer=true [person_id]=[id]
  Post.Editor belongs_to [7] → public.people many=false pointer=false [editor_id]=[id]
  Post.Tags many_to_many [8] → public.tags many=true pointer=true [id]=[id] join public.posts_tags [post_id],[tag_id]
  Post.Comments has_many [9] → public.comments many=true pointer=false [id]=[post_id] order id
  Post.Commentators through [10] → public.people many=true pointer=true via Post.Comments via Comment.Person
Profile (public.profiles) key=[person_id]
  0 person_id PersonID [0] int64
  1 bio Bio [2] string
  Profile.Person belongs_to [1] → public.people many=false pointer=true [person_id]=[id]
Tag (public.tags) key=[id]
  0 id ID [0] int64
  1 name Name [1] string
  Tag.Posts many_to_many [2] → public.posts many=true pointer=true [id]=[id] join public.posts_tags [tag_id],[post_id]
  Tag.Commentators through [3] → public.people many=true pointer=true via Tag.Posts via Post.Comments via Comment.Person
Comment (public.comments) key=[id]
  0 id ID [0] int64
  1 post_id PostID [1] int64
  2 person_id PersonID [2] int64
  3 body Text [3] string
  Comment.Post belongs_to [4] → public.posts many=false pointer=true [post_id]=[id]
  Comment.Person belongs_to [5] → public.people many=false pointer=true [person_id]=[id]
`
	person := mustOf[Person](t)
	got := "\n" + describe(person)
	post := person.Association("Posts").Target
	for _, m := range []*model.Model{
		post, person.Association("Profile").Target, post.Association("Tags").Target, post.Association("Comments").Target,
	} {
		got += describe(m)
	}
	if got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}

func TestOfReturnsOneModelForEachType(t *testing.T) {
	r := model.NewRegistry()
	post, err := model.Of[Post](r)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Post](), reflect.TypeFor[*Post](), reflect.TypeFor[[]Post](),
		reflect.TypeFor[[]*Post](), reflect.TypeFor[*[]*Post](),
	} {
		if m, err := r.Of(typ); m != post || err != nil {
			t.Errorf("Of(%s) = %p, %v; want %p", typ, m, err, post)
		}
	}
	tag, err := model.Of[Tag](r)
	if err != nil {
		t.Fatal(err)
	}
	if post.Association("Tags").Target != tag || tag.Association("Posts").Target != post {
		t.Error("Post and Tag do not lead to each other")
	}
}

func TestOfIsSafeForConcurrentUse(t *testing.T) {
	types := []reflect.Type{reflect.TypeFor[Post](), reflect.TypeFor[Tag](), reflect.TypeFor[Person](), reflect.TypeFor[Comment]()}
	for range 100 {
		var r model.Registry
		models := make([]*model.Model, 4*len(types))
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range models {
			wg.Go(func() {
				<-start
				m, err := r.Of(types[i%len(types)])
				if err != nil {
					t.Error(err)
					return
				}
				models[i] = m
				for _, a := range m.Associations {
					if other, err := r.Of(a.Target.Type); other != a.Target || err != nil {
						t.Errorf("%s leads to another model than Of returns (%v)", a, err)
					}
				}
			})
		}
		close(start)
		wg.Wait()
		for i, m := range models {
			if m != models[i%len(types)] {
				t.Fatalf("two models of %s", types[i%len(types)])
			}
		}
	}
}

func TestOfRefusesWhatIsNoStruct(t *testing.T) {
	r := model.NewRegistry()
	for _, c := range []struct {
		typ  reflect.Type
		want string
	}{
		{nil, "model nil: there is no type: give a struct type, or a pointer or slice of one"},
		{reflect.TypeFor[int](), "model int: int is no model: give a struct type, or a pointer or slice of one"},
		{reflect.TypeFor[any](), "model interface {}: interface {} is no model: give a struct type, or a pointer or slice of one"},
		{reflect.TypeFor[[][]Post](), "model [][]model_test.Post: [][]model_test.Post is no model: give a struct type, or a pointer or slice of one"},
		{reflect.TypeFor[map[int]Post](), "model map[int]model_test.Post: map[int]model_test.Post is no model: give a struct type, or a pointer or slice of one"},
	} {
		_, err := r.Of(c.typ)
		if err == nil || err.Error() != c.want {
			t.Errorf("Of(%v): %v, want %s", c.typ, err, c.want)
		}
		if _, ok := errors.AsType[*model.ModelError](err); !ok {
			t.Errorf("Of(%v): a %T, not a *ModelError", c.typ, err)
		}
	}
}
