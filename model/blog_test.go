package model_test

import (
	"testing"
	"time"

	"github.com/rowsync/rowsync/model"
)

// The models of a blog, with every kind of association.

type Person struct {
	ID        int64
	Name      string
	Posts     []*Post   `db:"-"`
	TestPosts []Post    `db:"-" rowsync:"where=name in ('test','a,b'),order=created_at desc, id"`
	Profile   *Profile  `db:"-"`
	AllTags   []*Tag    `db:"-" rowsync:"through=Posts.Tags,where=name <> ''"`
	Comments  []Comment `db:"-" rowsync:"through=Posts.Comments"`
	Fans      []*Person `db:"-" rowsync:"many_to_many=favourite_people,key=child_id,ref=parent_id"`
	Loaded    time.Time `db:"-"`
}

type Profile struct {
	PersonID int64   `rowsync:"key"`
	Person   *Person `db:"-"`
	Bio      string
}

type Timestamps struct {
	CreatedAt time.Time
	UpdatedAt *time.Time `db:"updated_at"`
}

type Post struct {
	ID       int64 `db:"id"`
	Title    string
	PersonID *int64
	EditorID *int64
	Timestamps
	Person       *Person   `db:"-"`
	Author       *Person   `db:"-" rowsync:"belongs_to,key=person_id"`
	Editor       Person    `db:"-"`
	Tags         []*Tag    `db:"-" rowsync:"many_to_many=posts_tags"`
	Comments     []Comment `db:"-" rowsync:"order=id"`
	Commentators []*Person `db:"-" rowsync:"through=Comments.Person"`
	hidden       chan int
}

type Tag struct {
	ID    int64
	Name  string
	Posts []*Post `db:"-" rowsync:"many_to_many=posts_tags"`
	// Through a through association.
	Commentators []*Person `db:"-" rowsync:"through=Posts.Commentators"`
}

type Comment struct {
	ID       int64
	PostID   int64
	PersonID int64
	Text     string  `db:"body"`
	Post     *Post   `db:"-"`
	Person   *Person `db:"-"`
}

var _ = (&Post{}).hidden

// mustOf returns the model of T, which has no mistakes.
func mustOf[T any](t testing.TB) *model.Model {
	t.Helper()
	m, err := model.Of[T](model.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return m
}
