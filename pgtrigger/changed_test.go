package pgtrigger

import "testing"

// Where only changed values matter, an update that changes none of them writes
// nothing into the journal.
func TestOnlyChanged(t *testing.T) {
	for _, c := range []struct {
		table   string
		changes int // a statement's rows come all or none; with row triggers each speaks for itself
	}{
		{"create table t (id int primary key, v text, w int)", 5},
		{"create table t (id int primary key, v text, w int) partition by hash (id); create table part partition of t for values with (modulus 1, remainder 0)", 4},
	} {
		tab := table("t")
		tab.Compared, tab.OnlyChanged = []string{"v"}, true
		p := watching(t, c.table, Options{}, tab)
		for _, sql := range []string{
			"insert into t values (1, 'a', 1), (2, 'b', 2)",
			"update t set w = 3, v = v",
			"update t set v = 'a'",
			"update t set v = v where false",
			"update t set id = 9 where id = 1",
		} {
			p.w.do(sql)
		}
		p.awaitChanges(c.changes)
		if got := p.w.one("select count(*) from rowsync.journal where op = 'U'"); got != "2" {
			t.Errorf("%s entries of updates, want 2", got)
		}
	}
}
