package model_test

import (
	"reflect"
	"testing"
	"time"
)

func TestMistakesInAssociations(t *testing.T) {
	type Tag struct {
		ID   int
		Name string
	}
	type Comment struct {
		ID     int
		PostID int
	}
	type Keyless struct{ Name string }
	runMistakes(t, []mistake{
		{"no convention for many", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []*Tag `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: Tag has no column post_id (columns: id, name): write rowsync:"has_many,key=…" with a column of Tag, or rowsync:"many_to_many=posts_tags" with the join table, or rowsync:"-" if it is no association`},
		{"no convention for one", func() reflect.Type {
			type Post struct {
				ID  int
				Top *Tag `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Top: it cannot be belongs_to, for Post has no column top_id (columns: id), nor has_one, for Tag has no column post_id (columns: id, name): write rowsync:"belongs_to,key=…" with a column of Post, or rowsync:"has_one,key=…" with a column of Tag, or rowsync:"-" if it is no association`},
		{"ambiguous", func() reflect.Type {
			type Post struct {
				ID        int
				CommentID int
				Comment   *Comment `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Comment: it may be belongs_to by Post.comment_id or has_one by Comment.post_id: write belongs_to or has_one in the rowsync tag`},
		{"unknown key", func() reflect.Type {
			type Post struct {
				ID       int
				Comments []Comment `db:"-" rowsync:"has_many,key=article_id"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Comments: Comment has no column article_id (columns: id, post_id): name one of them with key=`},
		{"unknown default key", func() reflect.Type {
			type Post struct {
				ID  int
				Top *Tag `db:"-" rowsync:"belongs_to"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Top: Post has no column top_id (columns: id): name one of them with key=`},
		{"unknown ref", func() reflect.Type {
			type Post struct {
				ID, TagID int
				Tag       *Tag `db:"-" rowsync:"belongs_to,ref=code"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tag: Tag has no column code (columns: id, name): name one of them with ref=`},
		{"numbers of columns", func() reflect.Type {
			type Post struct {
				ID, A, B int
				Tag      *Tag `db:"-" rowsync:"belongs_to,key=(a,b)"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tag: key a, b has 2 columns, but it refers to 1: id: name as many with key= as with ref=`},
		{"types that cannot be equal", func() reflect.Type {
			type Post struct {
				ID    int
				TagID *string
				Tag   *Tag `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tag: Post.TagID is *string, but Tag.ID is int: give the two one type, or name other columns with key= and ref=`},
		{"a column that refers to itself", func() reflect.Type {
			type Node struct {
				ID   int
				Next *Node `db:"-" rowsync:"belongs_to,key=id"`
			}
			return reflect.TypeFor[Node]()
		}, `model Node: field Next: column id of Node would refer to itself: name another column with key=`},
		{"belongs_to in a slice", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []*Tag `db:"-" rowsync:"belongs_to"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: belongs_to leads to one row, but the field is a slice: make it *Tag, or write has_many or many_to_many`},
		{"has_one in a slice", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []*Tag `db:"-" rowsync:"has_one"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: has_one leads to one row, but the field is a slice: make it *Tag, or write has_many`},
		{"has_many without slice", func() reflect.Type {
			type Post struct {
				ID      int
				Comment Comment `db:"-" rowsync:"has_many"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Comment: has_many leads to many rows, but the field is no slice: make it []*Comment, or write has_one`},
		{"many_to_many without slice", func() reflect.Type {
			type Post struct {
				ID  int
				Tag *Tag `db:"-" rowsync:"many_to_many=posts_tags"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tag: many_to_many leads to many rows, but the field is no slice: make it []*Tag`},
		{"many_to_many without table", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []*Tag `db:"-" rowsync:"many_to_many"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: no table for many to many: write rowsync:"many_to_many=posts_tags"`},
		{"many_to_many to itself", func() reflect.Type {
			type Person struct {
				ID      int
				Friends []*Person `db:"-" rowsync:"many_to_many=friends"`
			}
			return reflect.TypeFor[Person]()
		}, `model Person: field Friends: both ends would be column person_id of friends: name them with key=, which refers to Person, and ref=, which refers to the field's rows`},
		{"many_to_many with too many columns", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []*Tag `db:"-" rowsync:"many_to_many=posts_tags,ref=(tag_a,tag_b)"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: ref names 2 columns, but the primary key of Tag has 1: id: name as many with ref=`},
		{"target without key", func() reflect.Type {
			type Post struct {
				ID    int
				Names []Keyless `db:"-" rowsync:"has_many"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Names: Keyless has no column id and no field marked as key (columns: name): write rowsync:"key" on each field of the primary key`},
		{"target that is no model", func() reflect.Type {
			type Post struct {
				ID int
				At time.Time `db:"-" rowsync:"has_one"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field At: Time has no columns: use a struct with a field for each column`},
		{"type that is no struct", func() reflect.Type {
			type Post struct {
				ID   int
				Tags map[int]Tag `db:"-" rowsync:"has_many"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: an association cannot be a map[int]model_test.Tag: make it *T, []*T, T or []T for a struct type T`},
		{"column and association", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []Tag `db:"tags" rowsync:"has_many"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: the db tag names a column, the rowsync tag an association: write db:"-" beside the rowsync tag`},
		{"not exported", func() reflect.Type {
			type Post struct {
				ID   int
				tags []Tag `db:"-" rowsync:"has_many"`
			}
			_ = Post{}.tags
			return reflect.TypeFor[Post]()
		}, `model Post: field tags: the field is not exported: export the field or remove its rowsync tag`},
		{"embedded and not exported", func() reflect.Type {
			type tag struct{ ID, PostID int }
			type Post struct {
				ID   int
				*tag `db:"-" rowsync:"has_one"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field tag: the field is not exported: export the field or remove its rowsync tag`},
		{"two of one name", func() reflect.Type {
			type Base struct {
				Comments []Comment `db:"-"`
			}
			type Post struct {
				ID int
				Base
				Comments []Comment `db:"-"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Comments: field Base.Comments is an association of the same name: give one of the two another name`},
	})
}

// Types that lead to each other, for paths.

type Author struct {
	ID       int
	Books    []*Book   `db:"-"`
	Readers  []*Reader `db:"-" rowsync:"through=Books.Reviews.Reader"`
	Rounds   []*Book   `db:"-" rowsync:"through=Readers.Wishes"`
	Skipping []*Review `db:"-" rowsync:"has_many,key=nonsense"`
}

type Book struct {
	ID, AuthorID int
	Author       *Author   `db:"-"`
	Reviews      []*Review `db:"-"`
}

type Review struct {
	ID, BookID, ReaderID int
	Reader               *Reader `db:"-"`
}

type Reader struct {
	ID      int
	Authors []*Author `db:"-" rowsync:"through=Wishes.Author"`
	Wishes  []*Book   `db:"-" rowsync:"through=Authors.Books"`
	// What a step at fault leads to is not complained of again.
	Skipped []*Reader `db:"-" rowsync:"through=Authors.Skipping.Reader"`
}

func TestMistakesInPaths(t *testing.T) {
	type Tag struct {
		ID, PostID int
		Name       string
		At         []time.Time `db:"-"`
	}
	runMistakes(t, []mistake{
		{"none", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []Tag `db:"-" rowsync:"through"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Tags: no path for through: write rowsync:"through=First.Second" with the names of association fields`},
		{"unknown first step", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []Tag `db:"-"`
				All  []Tag `db:"-" rowsync:"through=Tagz.Post"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field All: path leads nowhere at step Tagz, for Post has no association Tagz (associations: Tags, All): write a path of association fields`},
		{"unknown second step, not an association", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []Tag `db:"-"`
				All  []Tag `db:"-" rowsync:"through=Tags.At"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field All: path leads nowhere at step Tags.At, for Tag has no association At (it has no associations): write a path of association fields`},
		{"another type at its end", func() reflect.Type {
			type Post struct {
				ID   int
				Tags []Tag  `db:"-"`
				Self []Post `db:"-" rowsync:"through=Tags"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field Self: path Tags leads to Tag, but the field holds Post: make the field hold Tag, or change the path`},
		{"to itself", func() reflect.Type {
			type Post struct {
				ID  int
				All []Post `db:"-" rowsync:"through=All"`
			}
			return reflect.TypeFor[Post]()
		}, `model Post: field All: path goes in a circle at step All, which leads through Post.All itself: let the path lead through associations that do not come back to it`},
		{"a condition that would be lost", func() reflect.Type {
			type Node struct {
				ID, NodeID int
				Nodes      []Node `db:"-"`
				Some       []Node `db:"-" rowsync:"through=Nodes.Nodes,where=id > 7"`
				More       []Node `db:"-" rowsync:"through=Some.Nodes"`
			}
			return reflect.TypeFor[Node]()
		}, `model Node: field More: step Some of path Some.Nodes is a through association with a condition of its own: write the full path, through Nodes.Nodes, and the condition here`},
		{"in a circle", reflect.TypeFor[Author],
			`model Author: field Skipping: Review has no column nonsense (columns: id, book_id, reader_id): name one of them with key=
model Reader: field Authors: path goes in a circle at step Wishes, which leads through Reader.Authors itself: let the path lead through associations that do not come back to it`},
	})
}
