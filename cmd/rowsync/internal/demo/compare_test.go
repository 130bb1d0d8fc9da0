package demo

import (
	"slices"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		change func(posts []*Post) []*Post
		want   string // "" for equal
	}{
		"nothing":        {func(p []*Post) []*Post { return p }, ""},
		"order of tags":  {func(p []*Post) []*Post { slices.Reverse(p[0].Tags); return p }, ""},
		"no tags":        {func(p []*Post) []*Post { p[3].Tags = []*Tag{}; return p }, ""},
		"a post less":    {func(p []*Post) []*Post { return p[1:] }, "post 9 is not held"},
		"a post more":    {func(p []*Post) []*Post { return append(p, &Post{ID: 5}) }, "post 5 is held and does not exist"},
		"a post twice":   {func(p []*Post) []*Post { return append(p, p[0]) }, "1 posts held are held twice"},
		"order":          {func(p []*Post) []*Post { p[0], p[1] = p[1], p[0]; return p }, "the order is held as [8 9 7 6] and is [9 8 7 6]"},
		"title":          {func(p []*Post) []*Post { p[3].Title = "old"; return p }, `post 6 is held as "old" by nobody with tags [] and is "Cold tea"`},
		"author's name":  {func(p []*Post) []*Post { p[0].Author.Name = "James"; return p }, `"James"`},
		"no author":      {func(p []*Post) []*Post { p[0].Author = nil; return p }, "post 9 is held as"},
		"another author": {func(p []*Post) []*Post { p[0].AuthorID = nil; return p }, "by nobody"},
		"tag's name":     {func(p []*Post) []*Post { p[1].Tags[0] = &Tag{ID: 1, Name: "rust"}; return p }, `1 "rust"`},
		"a tag less":     {func(p []*Post) []*Post { p[0].Tags = p[0].Tags[:1]; return p }, "post 9 is held as"},
		"a tag twice":    {func(p []*Post) []*Post { p[1].Tags = append(p[1].Tags, p[1].Tags[0]); return p }, "post 8 is held as"},
		"everything":     {func([]*Post) []*Post { return nil }, "post 9 is not held; post 8"},
	} {
		t.Run(name, func(t *testing.T) {
			got := differences(c.change(samplePosts()), samplePosts())
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("differences %q, want %q", got, c.want)
			}
		})
	}
}
