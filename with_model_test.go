package rowsync_test

import (
	"testing"

	"github.com/rowsync/rowsync"
)

// TestWithModelOfEachOther: WithModel takes in the associations of a model also
// where another WithModel brings its rows.
func TestWithModelOfEachOther(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags.Posts.Comments", "Comments")))
	db.exec("insert into tags values ('a', 'apple'); insert into posts (title) values ('one')")
	db.exec("insert into posts_tags values (1, 'a'); insert into comments (post_id, body) values (1, 'hi')")
	for name, opts := range map[string][]rowsync.LiveOption{
		"two":    {rowsync.With("Tags"), rowsync.WithModel[Tag]("Posts"), rowsync.WithModel[Post]("Comments")},
		"circle": {rowsync.WithModel[Tag]("Posts"), rowsync.WithModel[Post]("Tags", "Comments")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rowsync.LoadAll[Post](t.Context(), client, rowsync.Select{}, opts...)
			if err != nil {
				t.Fatal(err)
			}
			if name == "two" {
				wantFresh(t, client, rowsync.Select{With: []string{"Comments", "Tags.Posts.Comments"}}, got)
			}
		})
	}
}
