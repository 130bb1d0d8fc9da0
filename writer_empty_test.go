package rowsync_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

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
	// The Client takes one itself now and then, and gives it back.
	for end := time.Now().Add(10 * time.Second); db.Stat().AcquiredConns() > before; {
		if time.Now().After(end) {
			t.Fatalf("%d connections are taken, %d before", db.Stat().AcquiredConns(), before)
		}
		runtime.Gosched()
	}
}
