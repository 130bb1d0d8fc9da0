package rowsync_test

import (
	"context"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestSingleComesBack: a single value whose row was deleted takes in the row that
// is inserted with its key, with that row's associations.
func TestSingleComesBack(t *testing.T) {
	q := rowsync.Select{With: []string{"Comments"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]())
	for name, again := range map[string][]string{
		"at once": {"insert into posts (id, title) overriding system value values (1, 'again'); insert into comments (post_id, body) values (1, 'ho')"},
		"one by one": {
			"insert into posts (id, title) overriding system value values (1, 'again')",
			"insert into comments (post_id, body) values (1, 'ho')",
		},
	} {
		t.Run(name, func(t *testing.T) {
			db.exec("delete from posts")
			db.exec("insert into posts (id, title) overriding system value values (1, 'one'); insert into comments (post_id, body) values (1, 'hi')")
			settle(t, client, db)
			sub := client.NewSubscriber(t.Context())
			post, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) (*Post, error) {
				v, err := rowsync.LoadAll[Post](ctx, client, q)
				if err != nil {
					return nil, err
				}
				return v[0], nil
			}, rowsync.With("Comments"))
			if err != nil {
				t.Fatal(err)
			}
			db.exec("delete from posts")
			if post = syncAll(t, db, sub, post); post == nil || post.Title != "one" {
				t.Fatalf("got %s, want the post as it was", show(post))
			}
			for _, sql := range again {
				db.exec(sql)
				post = syncAll(t, db, sub, post)
			}
			wantFresh(t, client, q, []*Post{post})
		})
	}
}
