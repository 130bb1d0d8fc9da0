package pgtrigger

import (
	"fmt"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// events is partitioned by region, and its partition for region 2 by day; the
// columns of one partition have another order.
const eventsSQL = `
	create table events (id int, region int, day int, note text, primary key (id, region, day)) partition by list (region);
	create table events_1 partition of events for values in (1);
	create table events_2 (note text, gone int, day int not null, region int not null, id int not null) partition by range (day);
	alter table events_2 drop column gone;
	alter table events attach partition events_2 for values in (2);
	create table events_2_a partition of events_2 for values from (0) to (10);
	create table events_2_b partition of events_2 for values from (10) to (20);
	insert into events values (100, 1, 1, ''), (101, 2, 1, ''), (102, 2, 11, '');`

func events() *capture.Table { return table("events", "region") }

// Whichever way rows are written, the changes are those of the table that is
// watched.
func TestPartitioned(t *testing.T) {
	for _, bell := range []bool{true, false} {
		t.Run(fmt.Sprintf("bell %v", bell), func(t *testing.T) {
			p := watching(t, eventsSQL, Options{NoBell: !bell}, events())
			p.expect("insert into events values (1, 1, 1, ''), (2, 2, 2, '')", "insert events ∅→(1,1)", "insert events ∅→(2,2)")
			p.expect("insert into events_1 values (3, 1, 1, ''); insert into events_2 (id, region, day) values (4, 2, 12); insert into events_2_b (id, region, day) values (5, 2, 13)",
				"insert events ∅→(3,1)", "insert events ∅→(4,2)", "insert events ∅→(5,2)")
			p.expect("update events set note = 'x' where id in (1, 2)", "update events (1,1)→(1,1)", "update events (2,2)→(2,2)")
			p.expect("update events_1 set id = 30 where id = 3", "update events (3,1)→(30,1)")
			p.expect("delete from events where id in (1, 5); delete from events_2_a where id = 2",
				"delete events (1,1)→∅", "delete events (5,2)→∅", "delete events (2,2)→∅")
			p.expect("truncate events_2_b", "truncate events ∅→∅")
			p.expect("truncate events_2", "truncate events ∅→∅")
			p.expect("truncate events", "truncate events ∅→∅")
			p.expect("begin; insert into events values (1, 1, 1, ''); truncate events; insert into events values (1, 1, 1, ''); truncate events_1; commit",
				"insert events ∅→(1,1)", "truncate events ∅→∅", "insert events ∅→(1,1)", "truncate events ∅→∅")
		})
	}
}

// A row that an UPDATE moves to another partition is one update.
func TestPartitionedMoves(t *testing.T) {
	keyed := events()
	keyed.Key, keyed.Columns = []string{"id", "region"}, nil
	p := watching(t, eventsSQL, Options{}, events())
	q := start(t, p.url, Options{}, keyed)
	p.expect("update events set region = 2 where id = 100", "update events (100,1)→(100,2)")
	p.expect("update events set day = day + 10 where day < 10 and region = 2", "update events (101,2)→(101,2)", "update events (100,2)→(100,2)")
	p.expect("update events_2 set day = 5 where id = 100", "update events (100,2)→(100,2)")
	p.expect("begin; insert into events values (7, 1, 1, ''); update events set region = 2 where id = 7; update events set region = 1 where id = 7; commit",
		"insert events ∅→(7,1)", "update events (7,1)→(7,2)", "update events (7,2)→(7,1)")
	p.expect("begin; delete from events where id = 7; insert into events values (7, 2, 1, ''); commit",
		"delete events (7,1)→∅", "insert events ∅→(7,2)")
	p.expect("begin; delete from events where id = 7; insert into events values (8, 1, 1, ''), (9, 2, 2, ''); commit",
		"delete events (7,2)→∅", "insert events ∅→(8,1)", "insert events ∅→(9,2)")
	const merge = `merge into events e using (values (8, 2), (9, 1), (10, 1)) s(id, region) on e.id = s.id
		when matched then update set region = s.region when not matched then insert values (s.id, s.region, 0, '')`
	if postgresMajor(t) < 15 {
		p.refuses(merge)
		p.told("update events set region = 3 - region where id in (8, 9); insert into events values (10, 1, 0, '')")
	} else {
		p.expect(merge, "update events (8,1)→(8,2)", "update events (9,2)→(9,1)", "insert events ∅→(10,1)")
	}
	// Where the partition is part of the key, an UPDATE gives the row another key.
	first := ""
	q.await("the first change", func() bool {
		if len(q.changes) > 0 {
			first = show(q.changes[:1])
		}
		return first != ""
	})
	if got, want := first, "update public.events (100,1)→(100,2)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Who watches some operations of a partitioned table is told of those, be the
// rows moved or not.
func TestPartitionedOps(t *testing.T) {
	for ops, want := range map[capture.Op]string{
		capture.Insert:                  "insert public.events ∅→(1,1)",
		capture.Update:                  "update public.events (1,1)→(1,2); update public.events (1,2)→(1,2)",
		capture.Delete:                  "delete public.events (1,2)→∅",
		capture.Insert | capture.Update: "insert public.events ∅→(1,1); update public.events (1,1)→(1,2); update public.events (1,2)→(1,2)",
	} {
		e := events()
		e.Ops = ops
		p := watching(t, eventsSQL, Options{}, e)
		if got := p.told("insert into events values (1, 1, 1, ''); update events set region = 2 where id = 1; update events set note = 'x' where id = 1; delete from events where id = 1"); got != want {
			t.Errorf("%v: got %s, want %s", ops, got, want)
		}
	}
}

// A partition that comes or goes is noticed, and the table reset; from then on
// the partition's changes are the table's, or are not.
func TestPartitionsComeAndGo(t *testing.T) {
	p := watching(t, eventsSQL, Options{SafetyPoll: 20 * time.Millisecond}, events())
	p.w.do("create table events_3 partition of events for values in (3)")
	p.awaitReset("events")
	p.expect("insert into events values (1, 3, 1, '')", "insert events ∅→(1,3)")
	p.expect("truncate events_3", "truncate events ∅→∅")

	p.w.do("create table events_4 (like events including all); insert into events_4 values (4, 4, 4, ''); alter table events attach partition events_4 for values in (4)")
	p.awaitReset("events")
	p.expect("update events_4 set note = 'x'", "update events (4,4)→(4,4)")
	p.expect("truncate events_4", "truncate events ∅→∅")

	p.w.do("create table events_2_c partition of events_2 for values from (20) to (30)")
	p.awaitReset("events")
	p.expect("truncate events_2_c", "truncate events ∅→∅")

	p.w.do("insert into events values (5, 3, 1, '')")
	p.sinceMark()
	p.w.do("alter table events detach partition events_3")
	p.awaitReset("events")
	p.await("the triggers to go", func() bool { return p.triggersOn("events_3") == "0" })
	p.expect("insert into events_3 values (6, 3, 1, ''); truncate events_3")

	p.w.do("drop table events_4")
	p.awaitReset("events")
	p.expect("insert into events values (7, 1, 1, '')", "insert events ∅→(7,1)")
}

// A partition that is watched itself: its table's writers are told of too.
func TestPartitionItself(t *testing.T) {
	p := watching(t, eventsSQL, Options{}, table("events_1"), table("events_2"), table("events_2_a"))
	p.expectSet("insert into events values (1, 1, 1, ''), (2, 2, 2, ''), (3, 2, 13, '')",
		"insert events_1 ∅→(1)", "insert events_2_a ∅→(2)", "insert events_2 ∅→(2)", "insert events_2 ∅→(3)")
	p.expectSet("update events set region = 2 where id = 1", "delete events_1 (1)→∅", "insert events_2_a ∅→(1)", "insert events_2 ∅→(1)")
	p.expectSet("update events_2 set day = 15 where id = 1", "delete events_2_a (1)→∅", "update events_2 (1)→(1)")
	p.expectSet("insert into events_2_a (id, region, day) values (7, 2, 2)", "insert events_2_a ∅→(7)", "insert events_2 ∅→(7)")
}

func TestPartitionedBulk(t *testing.T) {
	p := watching(t, eventsSQL, Options{}, events())
	p.awaitAsleep()
	changes := p.changesOf("insert into events select g, 1 + g % 2, g % 20, '' from generate_series(1001, 11000) g")
	if len(changes) != 10_000 || changes[0].New[0].Text != "1001" || changes[9_999].New[0].Text != "11000" {
		t.Errorf("%d changes", len(changes))
	}
	changes = p.changesOf("update events set region = 1, note = 'moved' where id > 1000")
	for _, c := range changes {
		if c.Op != capture.Update || c.New[1].Text != "1" || c.Old[0] != c.New[0] {
			t.Fatalf("%s", show([]capture.Change{c}))
		}
	}
	if len(changes) != 10_000 {
		t.Errorf("%d changes", len(changes))
	}
	p.expectResets(0)
}
