package model_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/rowsync/rowsync/model"
)

func tree(t *testing.T, m *model.Model, paths ...string) *model.Tree {
	t.Helper()
	tr, err := m.Tree(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestTree(t *testing.T) {
	post := mustOf[Post](t)
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{nil, ""},
		{[]string{"Tags"}, "Tags"},
		{[]string{"Tags", "Tags"}, "Tags"},
		{[]string{"Tags", "Author"}, "Author,Tags"},
		{[]string{"Tags", "Author.Posts", "Author"}, "Author.Posts,Tags"},
		{[]string{"Author", "Comments", "Tags", "Author.Profile", "Author.Posts.Tags", "Person"}, "Person,Author.Posts.Tags,Author.Profile,Tags,Comments"},
		{[]string{"Commentators.AllTags"}, "Commentators.AllTags"},
	} {
		got := tree(t, post, c.paths...)
		if got.String() != c.want || got.Model != post {
			t.Errorf("Tree(%q) = %s, want %s", c.paths, got, c.want)
		}
		slices.Reverse(c.paths)
		if again := tree(t, post, c.paths...); again.String() != c.want {
			t.Errorf("Tree(%q) = %s, want %s", c.paths, again, c.want)
		}
	}
}

func TestTreeLeadsFromModelToModel(t *testing.T) {
	post := mustOf[Post](t)
	tr := tree(t, post, "Tags", "Author.AllTags")
	author := tr.Branch("Author")
	if author.Association != post.Association("Author") || author.Model != author.Association.Target {
		t.Errorf("Author leads to %s", author.Model)
	}
	if all := author.Branch("AllTags"); all.Model != tr.Branch("Tags").Model || len(all.Branches) != 0 {
		t.Errorf("Author.AllTags leads to %s", all.Model)
	}
	if b := tr.Branch("Comments"); b != nil {
		t.Errorf("there is a branch %s", b.Association)
	}
	var names []string
	for _, m := range tr.Models() {
		names = append(names, m.Table)
	}
	if want := []string{"posts", "people", "tags"}; !slices.Equal(names, want) {
		t.Errorf("models %q, want %q", names, want)
	}
	names = nil
	for _, a := range tr.Joins() {
		names = append(names, a.String())
	}
	if want := []string{"Post.Tags"}; !slices.Equal(names, want) {
		t.Errorf("joins %q, want %q", names, want)
	}
}

func TestTreeAll(t *testing.T) {
	tr := tree(t, mustOf[Post](t), "Tags.Posts", "Author")
	var paths []string
	for path, b := range tr.All() {
		paths = append(paths, path+" "+b.Association.String())
	}
	if want := []string{"Author Post.Author", "Tags Post.Tags", "Tags.Posts Tag.Posts"}; !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
	paths = nil
	for path := range tr.All() {
		paths = append(paths, path)
		if path == "Tags" {
			break
		}
	}
	if want := []string{"Author", "Tags"}; !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
}

func TestTreeUnion(t *testing.T) {
	post := mustOf[Post](t)
	a, b := tree(t, post, "Tags.Posts", "Author"), tree(t, post, "Author.Profile", "Comments", "Tags")
	union := a.Union(b)
	if got, want := union.String(), "Author.Profile,Tags.Posts,Comments"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if a.String() != "Author,Tags.Posts" || b.String() != "Author.Profile,Tags,Comments" {
		t.Errorf("altered to %s and %s", a, b)
	}
	if got := a.Union(nil).String(); got != a.String() {
		t.Errorf("union with nothing is %s", got)
	}
}

func TestTreeMistakes(t *testing.T) {
	post := mustOf[Post](t)
	const known = ": name one of its associations: "
	const ofPost = "Person, Author, Editor, Tags, Comments, Commentators"
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{"Tagz"}, `model Post: no association "Tagz"` + known + ofPost},
		{[]string{""}, `model Post: no association ""` + known + ofPost},
		{[]string{"Tags, Author"}, `model Post: no association "Tags, Author"` + known + ofPost},
		{[]string{"Title"}, `model Post: no association "Title"` + known + ofPost},
		{[]string{"Tags."}, `model Tag: no association "" in path "Tags."` + known + "Posts, Commentators"},
		{[]string{"Tags.Author", "Author", "X"}, `model Tag: no association "Author" in path "Tags.Author"` + known + "Posts, Commentators\n" +
			`model Post: no association "X"` + known + ofPost},
	} {
		tr, err := post.Tree(c.paths...)
		if err == nil || err.Error() != c.want {
			t.Errorf("Tree(%q) = %v, %v; want %s", c.paths, tr, err, c.want)
		}
		if _, ok := errors.AsType[*model.ModelError](err); !ok {
			t.Errorf("Tree(%q): %T is not a *ModelError", c.paths, err)
		}
	}
	type Lonely struct{ ID int }
	const want = `model Lonely: no association "Posts": end the path before, for it has no associations`
	if _, err := mustOf[Lonely](t).Tree("Posts"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
