package rowsync_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// TestWriterEmpty: an empty statement does on a Writer what it does on the pool.
func TestWriterEmpty(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	before := db.Stat().AcquiredConns()
	w := client.NewSubscriber(t.Context()).Writer()
	if _, err := w.Exec(t.Context(), ""); err != nil {
		t.Error(err)
	}
	var n int
	if err := w.QueryRow(t.Context(), "").Scan(&n); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("got %v, want no rows", err)
	}
	if n := db.Stat().AcquiredConns(); n > before {
		t.Errorf("%d connections are taken, %d before", n, before)
	}
}
