package rowsync_test

import (
	"testing"

	"github.com/rowsync/rowsync"
)

// Weight has its key behind another column.
type Weight struct {
	Name string `db:"name"`
	ID   int64  `db:"id"`
}

// TestLiveOrderByPosition: an order that names columns by their position means
// the same when the keys are read again as when the rows were loaded.
func TestLiveOrderByPosition(t *testing.T) {
	for order, after := range map[string]string{"1": "a aa b", "1 desc": "d c b", "2 desc": "aa c a", "(2), 1": "d b a"} {
		t.Run(order, func(t *testing.T) {
			client, db := openTables(t, `create table weights (name text not null, id bigint primary key);
				insert into weights values ('b', 1), ('a', 2), ('c', 3);`, rowsync.WatchModel[Weight]())
			live := query[Weight](t, client, rowsync.Select{OrderBy: order, Limit: 3})
			db.exec("insert into weights values ('d', 0), ('aa', 9)")
			await(t, live, func(ws []*Weight, err error) bool {
				if err != nil {
					t.Errorf("the Live cannot follow: %v", err)
				}
				got := ""
				for _, w := range ws {
					got += " " + w.Name
				}
				return got == " "+after
			})
		})
	}
}
