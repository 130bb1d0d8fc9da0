package pgtrigger

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// whole says whether journal and state are as they should be.
func (n *node) whole() bool {
	in, err := n.src.inspect(n.t.Context(), n.pool, nil)
	return err == nil && in.shared()
}

// Whatever becomes of the journal while it is read, writers go on; it is made
// anew, and the reader is told of a Reset.
func TestJournalDamaged(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"journal dropped", "drop table rowsync.journal"},
		{"journal truncated", "truncate rowsync.journal"},
		{"column dropped", "alter table rowsync.journal drop was"},
		{"column renamed", "alter table rowsync.journal rename now to later"},
		{"column renamed and back", "alter table rowsync.journal rename now to later; alter table rowsync.journal rename later to now"},
		{"column's type changed", "alter table rowsync.journal alter origin type varchar(9)"},
		{"values' type changed", "alter table rowsync.journal alter now type text using now::text"},
		{"values' type changed to one that does not fit", "alter table rowsync.journal alter was type int using 1"},
		{"number's type changed", "alter table rowsync.journal alter def type int using 1"},
		{"default dropped", "alter table rowsync.journal alter at drop default"},
		{"column added", "alter table rowsync.journal add more int"},
		{"index dropped", "drop index rowsync.journal_xid"},
		{"logged", "alter table rowsync.journal set logged"},
		{"state dropped", "drop table rowsync.state"},
		{"state emptied", "delete from rowsync.state"},
		{"state altered", "alter table rowsync.state drop floor"},
		{"both dropped", "drop table rowsync.state, rowsync.journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := database(t, postsSQL)
			n := start(t, url, Options{SafetyPoll: 50 * time.Millisecond}, posts())
			n.awaitAsleep()
			w := connect(t, url)
			w.do(c.sql)
			for i := range 20 {
				w.do(fmt.Sprintf("update posts set title = 'x' where id = %d; update posts set author_id = author_id + 1 where id < 5", i))
			}
			if r := n.awaitResets(1)[0]; r.Table != nil || r.Err != nil {
				t.Errorf("reset %+v, want one of all tables", r)
			}
			for end := time.Now().Add(patience); !n.whole(); {
				if time.Now().After(end) {
					t.Fatal("the journal is not whole again")
				}
			}
			n.awaitEvent(n.mark(), "polled", 3)
			resets := len(n.awaitResets(1))
			w.do("insert into posts values (5000, 5, '')")
			n.await("a change after the reset", func() bool {
				return len(n.changes) > 0 && showRow(n.changes[len(n.changes)-1].New) == "(5000,5)"
			})
			// One more is of the transactions that were open meanwhile, in any database.
			if got := n.awaitResets(resets); len(got) > 3 {
				t.Errorf("resets %v", got)
			}
		})
	}
}

// Where the role may not repair the journal, it says who must run what, once,
// as a Reset and in the log, and goes on when that has been done.
func TestJournalDamagedBeyondPrivileges(t *testing.T) {
	url := database(t, postsSQL)
	w := connect(t, url)
	roleURL := weakURL(t, w, url)
	admin := New(newPool(t, url), &Options{Logger: quiet()})
	sql, err := admin.SQL(t.Context(), tablesOf(posts()))
	if err != nil {
		t.Fatal(err)
	}
	grant := `; grant usage on schema rowsync to feeble; grant select, delete on rowsync.journal to feeble;
		grant select, insert, update on rowsync.state to feeble`
	w.do(sql + grant)
	log := newLogs(t)
	n := start(t, roleURL, Options{SafetyPoll: 50 * time.Millisecond, Logger: log.logger(slog.LevelInfo)}, posts())
	n.awaitAsleep()
	w.do("drop index rowsync.journal_xid; delete from posts where id = 1")
	n.await("a reset that says what to do", func() bool {
		for _, r := range n.resets {
			if r.Err != nil && strings.Contains(r.Err.Error(), `DROP TABLE IF EXISTS "rowsync"."journal", "rowsync"."state"`) {
				return true
			}
		}
		return false
	})
	n.awaitChanges(1) // what can be read is read
	w.do("create index journal_xid on rowsync.journal (xid)")
	n.await("a reset that says that all is well", func() bool {
		return len(n.resets) == 2 && n.resets[1].Err == nil && n.resets[1].Table == nil
	})
	w.do("drop table rowsync.journal; delete from posts where id = 2")
	n.await("a reset that says what is missing", func() bool { return len(n.resets) == 3 && n.resets[2].Err != nil })
	w.do("delete from posts where id = 3; " + sql + grant)
	n.await("a reset that says that all is well", func() bool {
		last := n.resets[len(n.resets)-1]
		return len(n.resets) > 3 && last.Err == nil && last.Table == nil
	})
	w.do("delete from posts where id = 4")
	n.awaitChanges(2)
	if lines := log.lines("level=ERROR"); len(lines) != 2 {
		t.Errorf("%d errors logged, want 2:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}
