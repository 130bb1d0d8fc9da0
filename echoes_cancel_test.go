package rowsync_test

import (
	"testing"

	"github.com/rowsync/rowsync"
)

// TestCancelEchoAfterAnother: a change of somebody else's that was taken for an
// echo is news after all when the own write fails.
func TestCancelEchoAfterAnother(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one')")
	settle(t, client, db)
	sub, posts := loaded[Post](t, client, rowsync.Select{})
	if err := sub.ExpectEcho(posts[0]); err != nil {
		t.Fatal(err)
	}
	db.exec("update posts set title = 'theirs'")
	posts = syncAll(t, db, sub, posts)
	if err := sub.CancelEcho(posts[0]); err != nil { // the own write failed
		t.Fatal(err)
	}
	wantFresh(t, client, rowsync.Select{}, syncAll(t, db, sub, posts))
}
