package rowsync_test

import (
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

type Land struct {
	ID   string `db:"id"`
	Name string `db:"name"`
}

type Town struct {
	ID     int64  `db:"id"`
	LandID string `db:"land_id"`
	Land   *Land  `db:"-"`
}

// TestOpenLooseCollation: an association by texts that are equal without being
// the same would miss changes, so it is refused.
func TestOpenLooseCollation(t *testing.T) {
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, `
		create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		create table lands (id text collate ci primary key, name text not null);
		create table towns (id bigint primary key, land_id text collate ci not null references lands)`))
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Town](rowsync.With("Land"))}})
	if err == nil {
		client.Close()
		t.Fatal("no error")
	}
	wantAll(t, err, "Land", "nondeterministic collation", "land")
}
