package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rowsync/rowsync"
)

// TestLiveChangesSkips: who reads slowly gets the newest value next, and not those
// between.
func TestLiveChangesSkips(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('0')")
	live := query[Post](t, client, rowsync.Select{})
	var got []string
	for posts, err := range live.Changes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, posts[0].Title)
		if len(got) == 3 {
			break
		}
		if len(got) == 2 { // the value that is seen does not come again
			go func() { _, _ = db.Exec(t.Context(), "update posts set title = '6'") }()
			continue
		}
		for i := range 5 {
			title := fmt.Sprint(i + 1)
			db.exec("update posts set title = $1", title)
			waitUntil(t, "the value shows it", func() bool { return live.Value()[0].Title == title })
		}
	}
	if fmt.Sprint(got) != "[0 5 6]" {
		t.Errorf("got %v", got)
	}
}

// TestLiveChangesOfMany: several read one Live, each from the value as it is when
// it begins to the last; what they got is not altered, whoever reads it when.
func TestLiveChangesOfMany(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")))
	db.exec("insert into posts (title) values ('0')")
	live := query[Post](t, client, rowsync.Select{With: []string{"Comments"}})
	const changes = 40
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var values []kept
			for posts, err := range live.Changes(t.Context()) {
				if err != nil {
					t.Error(err)
					return
				}
				values = append(values, keep(posts))
				if len(posts[0].Comments) == changes {
					break
				}
			}
			for _, v := range values {
				v.check(t, "a reader")
			}
		})
	}
	for i := range changes {
		db.exec("insert into comments (post_id, body) values (1, $1)", fmt.Sprint(i))
	}
	readers.Wait()
}

// TestLiveChangesEnds: a reader is told that its context ended, and why.
func TestLiveChangesEnds(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post]())
	db.exec("insert into posts (title) values ('0')")
	live := query[Post](t, client, rowsync.Select{})
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var errs []error
	for posts, err := range live.Changes(ctx) {
		if len(posts) != 1 {
			t.Errorf("yields %s", show(posts))
		}
		errs = append(errs, err)
		cancel(enough)
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], enough) {
		t.Errorf("errors %v", errs)
	}
}
