package rowsync_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestLoadAgain: what is held after a Load has the associations of that Load
// alone, and after one that failed those that it had before.
func TestLoadAgain(t *testing.T) {
	open := func(t *testing.T) (*rowsync.Client, *database, *rowsync.Subscriber) {
		t.Helper()
		client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Person]())
		db.exec("insert into posts (title) values ('one')")
		settle(t, client, db)
		sub := client.NewSubscriber(t.Context())
		if err := sub.SubscribeTo(rowsync.On[Post](rowsync.Inserted)); err != nil {
			t.Fatal(err)
		}
		return client, db, sub
	}
	load := func(t *testing.T, client *rowsync.Client, sub *rowsync.Subscriber, with ...string) []*Post {
		t.Helper()
		v, err := rowsync.Load(t.Context(), sub, loadAll[Post](client, rowsync.Select{With: with}), rowsync.With(with...))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	t.Run("with fewer associations", func(t *testing.T) {
		client, db, sub := open(t)
		load(t, client, sub, "Tags")
		posts := load(t, client, sub)
		db.exec("insert into posts (title) values ('two')")
		wantFresh(t, client, rowsync.Select{}, syncAll(t, db, sub, posts))
	})
	t.Run("with more, which fails", func(t *testing.T) {
		client, db, sub := open(t)
		posts := load(t, client, sub)
		broken := errors.New("broken")
		_, err := rowsync.Load(t.Context(), sub, func(context.Context) ([]*Post, error) { return nil, broken }, rowsync.With("Tags"))
		if !errors.Is(err, broken) {
			t.Fatalf("got %v, want the error of the load", err)
		}
		db.exec("insert into posts (title) values ('two')")
		wantFresh(t, client, rowsync.Select{}, syncAll(t, db, sub, posts))
	})
}
