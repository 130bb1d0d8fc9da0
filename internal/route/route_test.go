package route_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// ear is a follower that writes down what it hears.
type ear struct {
	route.Follower
	heard []uint64
}

func newEar() *ear {
	e := &ear{}
	e.Push = func(_ *route.Table, _ *capture.Change, pos uint64) { e.heard = append(e.heard, pos) }
	return e
}

func posts() (*route.Index, *route.Table, int) {
	x := route.NewIndex()
	t := x.Add(&capture.Table{Schema: "public", Name: "posts", Key: []string{"id"}, Columns: []string{"author_id"}},
		make([]func(string) string, 2))
	n, _ := x.AddLookup(t, []string{"author_id"})
	return x, t, n
}

func row(id, author string) capture.Row {
	return capture.Row{{Text: id}, {Text: author, Null: author == ""}}
}

// TestRoute: a change reaches, once each, the followers of the table, of the
// row, and of what it refers to before and after.
func TestRoute(t *testing.T) {
	x, posts, author := posts()
	byTable, byKey, byOwner, byNewOwner, other, inserts, twice := newEar(), newEar(), newEar(), newEar(), newEar(), newEar(), newEar()
	orphans := newEar()
	all := capture.Insert | capture.Update | capture.Delete
	x.Follow(&byTable.Follower, route.Item{Table: posts, Lookup: route.WholeTable}, all, 0)
	x.Follow(&byKey.Follower, route.Item{Table: posts, Lookup: 0, Key: "1"}, all, 0)
	x.Follow(&byOwner.Follower, route.Item{Table: posts, Lookup: author, Key: "7"}, all, 0)
	x.Follow(&byNewOwner.Follower, route.Item{Table: posts, Lookup: author, Key: "8"}, all, 0)
	x.Follow(&orphans.Follower, route.Item{Table: posts, Lookup: author, Null: true}, all, 0)
	x.Follow(&other.Follower, route.Item{Table: posts, Lookup: 0, Key: "2"}, all, 0)
	x.Follow(&inserts.Follower, route.Item{Table: posts, Lookup: route.WholeTable}, capture.Insert, 0)
	for _, it := range []route.Item{{Table: posts, Lookup: route.WholeTable}, {Table: posts, Lookup: 0, Key: "1"}, {Table: posts, Lookup: author, Key: "7"}} {
		x.Follow(&twice.Follower, it, all, 0)
		x.Follow(&twice.Follower, it, all, 0)
	}
	x.Route([]capture.Change{
		{Op: capture.Insert, Table: posts.Capture, New: row("1", "")},
		{Op: capture.Update, Table: posts.Capture, Old: row("1", ""), New: row("1", "7")},
		{Op: capture.Update, Table: posts.Capture, Old: row("1", "7"), New: row("1", "8")},
		{Op: capture.Update, Table: posts.Capture, Old: row("1", "8"), New: row("3", "8")}, // another key
		{Op: capture.Delete, Table: posts.Capture, Old: row("3", "8")},
	}, 1)
	for name, test := range map[string]struct {
		e    *ear
		want []uint64
	}{
		"table":     {byTable, []uint64{1, 2, 3, 4, 5}},
		"row":       {byKey, []uint64{1, 2, 3, 4}},
		"owner":     {byOwner, []uint64{2, 3}},
		"new owner": {byNewOwner, []uint64{3, 4, 5}},
		"no owner":  {orphans, []uint64{1, 2}},
		"other row": {other, nil},
		"inserts":   {inserts, []uint64{1}},
		"twice":     {twice, []uint64{1, 2, 3, 4, 5}},
	} {
		if !slices.Equal(test.e.heard, test.want) {
			t.Errorf("%s heard %v, want %v", name, test.e.heard, test.want)
		}
	}
	x.Unfollow(&byTable.Follower, route.Item{Table: posts, Lookup: route.WholeTable}, all)
	x.Unfollow(&byTable.Follower, route.Item{Table: posts, Lookup: route.WholeTable}, all)
	x.Route([]capture.Change{{Op: capture.Insert, Table: posts.Capture, New: row("9", "")}}, 6)
	if len(byTable.heard) != 5 || len(inserts.heard) != 2 {
		t.Errorf("after unfollowing: %v, and the one who stayed: %v", byTable.heard, inserts.heard)
	}
	x.Unfollow(&other.Follower, route.Item{Table: posts, Lookup: 0, Key: "2"}, capture.Insert|capture.Update)
	x.Route([]capture.Change{{Op: capture.Update, Table: posts.Capture, Old: row("2", ""), New: row("2", "")}}, 7)
	x.Route([]capture.Change{{Op: capture.Delete, Table: posts.Capture, Old: row("2", "")}}, 8)
	if !slices.Equal(other.heard, []uint64{8}) {
		t.Errorf("heard %v, want the one operation that was not given up", other.heard)
	}
}

// TestFollowTellsWhatChanged: who begins to follow a key is told whether it
// changed after a position, and what is forgotten counts as changed.
func TestFollowTellsWhatChanged(t *testing.T) {
	x, posts, author := posts()
	e := newEar()
	changed := func(lookup int, key string, since uint64) bool {
		return x.Follow(&e.Follower, route.Item{Table: posts, Lookup: lookup, Key: mapper.Key(key)}, capture.Update, since)
	}
	x.Route([]capture.Change{{Op: capture.Update, Table: posts.Capture, Old: row("1", "7"), New: row("1", "8")}}, 5)
	for _, test := range []struct {
		lookup int
		key    string
		since  uint64
		want   bool
	}{
		{0, "1", 4, true}, {0, "1", 5, false}, {0, "2", 4, false},
		{author, "7", 4, true}, {author, "8", 4, true}, {author, "9", 0, false},
	} {
		if got := changed(test.lookup, test.key, test.since); got != test.want {
			t.Errorf("lookup %d, key %s since %d: %v, want %v", test.lookup, test.key, test.since, got, test.want)
		}
	}
	many := make([]capture.Change, 50_000)
	for i := range many {
		many[i] = capture.Change{Op: capture.Insert, Table: posts.Capture, New: row(fmt.Sprint(1000+i), "")}
	}
	x.Route(many, 6)
	if !changed(0, "1", 4) {
		t.Error("a change that was forgotten counts as none")
	}
	if last := uint64(6 + len(many) - 1); changed(0, "1", last) {
		t.Error("nothing changed after the last position, yet something did")
	}
}
