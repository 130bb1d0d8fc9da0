package pgtrigger

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The journal does not fill the disk while nobody reads, however much is
// written; whoever reads next makes it anew, and what is committed from then on
// is told.
func TestJournalIsBounded(t *testing.T) {
	for _, c := range []struct{ name, setup, write string }{
		{"small entries", "", "do $$ begin for i in 1 .. 2000 loop update posts set author_id = i where id = 1; end loop; end $$"},
		{"large entries", "insert into posts select g, 1, '' from generate_series(1000, 5000) g", "do $$ begin for i in 1 .. 5 loop update posts set author_id = author_id + 1; end loop; end $$"},
		{"rows of a partition", "create table t (id int primary key, author_id int) partition by hash (id); create table part partition of t for values with (modulus 1, remainder 0); insert into t values (1, 1)",
			"do $$ begin for i in 1 .. 2000 loop update t set author_id = i where id = 1; end loop; end $$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := database(t, postsSQL, c.setup)
			tab := posts()
			if strings.Contains(c.setup, "partition") {
				tab = table("t", "author_id")
			}
			opts := Options{MaxJournal: 1 << 20, SafetyPoll: 50 * time.Millisecond}
			n := start(t, url, opts, tab)
			n.stop()
			w := connect(t, url)
			size := func() int {
				t.Helper()
				bytes, err := strconv.Atoi(w.one("select pg_total_relation_size('rowsync.journal')"))
				if err != nil {
					t.Fatal(err)
				}
				return bytes
			}
			for range 30 {
				w.do(c.write)
				w.do("vacuum (truncate false) rowsync.journal") // which autovacuum does from time to time
			}
			if got := size(); got < 1<<20 || got > 4<<20 {
				t.Errorf("the journal takes %d bytes, want about 1 MiB", got)
			}

			n = start(t, url, opts, tab)
			if got := size(); got > 200_000 {
				t.Errorf("the journal takes %d bytes after a start", got)
			}
			w.do(fmt.Sprintf("update %s set author_id = 7 where id = 1", tab.Name))
			n.awaitChanges(1)
		})
	}
}

// A writer that was turned away while a reader runs is open until after the
// journal is made anew, and so its change is covered by the Reset.
func TestJournalOutgrown(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{MaxJournal: 1 << 20, SafetyPoll: 50 * time.Millisecond}, posts())
	w, late := connect(t, url), connect(t, url)
	late.do("begin isolation level repeatable read; select 1")
	for range 10 {
		w.do("do $$ begin for i in 1 .. 3000 loop update posts set author_id = i where id = 1; end loop; end $$")
	}
	late.do("update posts set author_id = 77 where id = 7")
	mark := n.mark()
	n.awaitEvent(mark, "polled", 3)
	late.do("commit")
	n.await("the late change or a reset after it", func() bool {
		for _, c := range n.changes {
			if c.New != nil && showRow(c.New) == "(7,77)" {
				return true
			}
		}
		return len(n.resets) > 0
	})
	for end := time.Now().Add(patience); !n.whole(); {
		if time.Now().After(end) {
			t.Fatal("the journal is not whole again")
		}
	}
	w.do("insert into posts values (5000, 5, '')")
	n.await("a change after that", func() bool {
		return len(n.changes) > 0 && showRow(n.changes[len(n.changes)-1].New) == "(5000,5)"
	})
}

// A bound beyond what a table can hold is none, and harms no writer.
func TestJournalUnbounded(t *testing.T) {
	url := database(t, postsSQL)
	n := start(t, url, Options{MaxJournal: math.MaxInt64}, posts())
	connect(t, url).do("update posts set author_id = 7 where id = 2")
	n.awaitChanges(1)
}
