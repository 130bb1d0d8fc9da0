package rowsync_test

import (
	"context"
	"testing"

	"github.com/rowsync/rowsync"
)

// TagLabel is another model of the tags' table.
type TagLabel struct {
	_  struct{} `rowsync:"table=tags"`
	ID string   `db:"id"`
}

// TestAuthorizeModels: a row that comes to be visible for one model of its table,
// and not for another, comes back into a value of the first.
func TestAuthorizeModels(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[TagLabel](), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'); insert into tags values ('n', 'x'); insert into posts_tags values (1, 'n')")
	settle(t, client, db)
	see := rowsync.Authorize(func(ctx context.Context, a rowsync.Access) (bool, error) {
		if _, label := a.Row.(*TagLabel); label {
			return false, nil
		}
		return noSecrets(ctx, a)
	})
	sub := client.NewSubscriber(t.Context(), see)
	q := rowsync.Select{With: []string{"Tags"}}
	value, err := rowsync.Load(t.Context(), sub, loadAll[Post](client, q), rowsync.With("Tags"))
	if err != nil {
		t.Fatal(err)
	}
	db.exec("update tags set name = 'nut'")
	db.exec("update posts set title = 'two'")
	for value[0].Title != "two" {
		ev := next(t, sub)
		if tag := ev.Table.Name == "tags"; tag && (ev.Op != rowsync.Deleted || ev.New != nil) {
			t.Errorf("told %s, want its key alone", ev)
		}
		if value, err = rowsync.Sync(t.Context(), sub, value, ev); err != nil {
			t.Fatal(err)
		}
	}
	fresh, err := rowsync.LoadAll[Post](t.Context(), client, q, see)
	if err != nil {
		t.Fatal(err)
	}
	want(t, value, fresh)
}
