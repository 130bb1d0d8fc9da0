package demo

import (
	"fmt"
	"slices"
	"strings"
)

// mostDifferences is how many are told.
const mostDifferences = 8

// differences says where the held posts are not the fresh ones: which there
// are, their order, columns, authors, and tags in any order. It is "" if
// they are equal.
func differences(held, fresh []*Post) string {
	var found []string
	note := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	want := byID(fresh, func(p *Post) int64 { return p.ID })
	have := byID(held, func(p *Post) int64 { return p.ID })
	if len(have) != len(held) {
		note("%d posts held are held twice", len(held)-len(have))
	}
	for _, p := range held {
		if want[p.ID] == nil {
			note("post %d is held and does not exist", p.ID)
		}
	}
	for _, p := range fresh {
		switch h := have[p.ID]; {
		case h == nil:
			note("post %d is not held", p.ID)
		case describe(h) != describe(p):
			note("post %d is held as %s and is %s", p.ID, describe(h), describe(p))
		}
	}
	if len(found) == 0 && !slices.EqualFunc(held, fresh, func(a, b *Post) bool { return a.ID == b.ID }) {
		note("the order is held as %v and is %v", ids(held), ids(fresh))
	}
	if more := len(found) - mostDifferences; more > 0 {
		found = append(found[:mostDifferences], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(found, "; ")
}

// describe returns a text that is equal for equal posts.
func describe(p *Post) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", p.Title)
	if p.AuthorID == nil {
		b.WriteString(" by nobody")
	} else {
		fmt.Fprintf(&b, " by %d", *p.AuthorID)
	}
	if p.Author != nil {
		fmt.Fprintf(&b, " (%d %q)", p.Author.ID, p.Author.Name)
	}
	tags := make([]string, 0, len(p.Tags))
	for _, t := range p.Tags {
		tags = append(tags, fmt.Sprintf("%d %q", t.ID, t.Name))
	}
	slices.Sort(tags)
	return b.String() + " with tags [" + strings.Join(tags, ", ") + "]"
}

func ids(posts []*Post) []int64 {
	out := make([]int64, len(posts))
	for i, p := range posts {
		out[i] = p.ID
	}
	return out
}
