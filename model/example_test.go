package model_test

import (
	"fmt"

	"github.com/rowsync/rowsync/model"
)

func ExampleOf() {
	type Tag struct {
		ID   int64
		Name string
	}
	type Author struct {
		ID   int64
		Name string
	}
	type Post struct {
		ID       int64
		Title    string
		AuthorID int64
		Author   *Author `db:"-"`
		Tags     []*Tag  `db:"-" rowsync:"many_to_many=posts_tags,order=name"`
	}

	post, err := model.Of[Post](model.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(post)
	for _, c := range post.Columns {
		fmt.Println("column", c.Name)
	}
	for _, a := range post.Associations {
		fmt.Println(a, a.Kind, a.Target.Name())
	}
	// Output:
	// Post (public.posts)
	// column id
	// column title
	// column author_id
	// Post.Author belongs_to public.authors
	// Post.Tags many_to_many public.tags
}

func ExampleModelError() {
	type Tag struct{ ID int64 }
	type Post struct {
		ID    int64
		Title string
		Name  string `db:"title"`
		Tags  []*Tag `db:"-" rowsync:"many_to_many"`
	}

	_, err := model.Of[Post](model.NewRegistry())
	fmt.Println(err)
	// Output:
	// model Post: field Name: column title belongs to field Title already: give one of them another column, or db:"-"
	// model Post: field Tags: no table for many to many: write rowsync:"many_to_many=posts_tags"
}

func ExampleModel_Tree() {
	post, err := model.Of[Post](model.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	tree, err := post.Tree("Tags", "Author.Profile", "Author")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tree)
	for path, branch := range tree.All() {
		fmt.Println(path, "leads to", branch.Model.Name())
	}
	// Output:
	// Author.Profile,Tags
	// Author leads to public.people
	// Author.Profile leads to public.profiles
	// Tags leads to public.tags
}
