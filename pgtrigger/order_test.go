package pgtrigger

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The changes of a transaction come in the order it made them, even where the
// clock says nothing, or the wrong thing, and entries stand in the journal in
// another order: across savepoints, functions and triggers, in large numbers.
func TestOrderWithinTransaction(t *testing.T) {
	for _, partitions := range []string{"", " partition by hash (id); create table part partition of t for values with (modulus 1, remainder 0)"} {
		for _, clock := range []string{"timestamptz 'epoch'", "timestamptz '2000-01-01' - (clock_timestamp() - timestamptz '2000-01-01')"} {
			t.Run(fmt.Sprintf("rows %v clock %.30s", partitions != "", clock), func(t *testing.T) {
				p := watching(t, "create table t (id int primary key, v int)"+partitions+"; insert into t values (1, 0);", Options{}, table("t", "v"))
				// Space that is free again is filled first, wherever it is.
				p.w.do(`create function set_clock() returns trigger language plpgsql as $$ begin new.at := ` + clock + `; return new; end $$;
					create trigger set_clock before insert on rowsync.journal for each row execute function set_clock();
					do $$ begin for i in 1..300 loop update t set v = 0; end loop; end $$`)
				p.sinceMark()
				p.w.do("delete from rowsync.journal where (ctid::text::point)[1]::int % 3 > 0")
				p.w.do("vacuum rowsync.journal")

				p.w.do(`begin;
					do $$ begin for i in 1..100 loop update t set v = i; end loop; end $$;
					savepoint a; update t set v = 999; rollback to a;
					do $$ begin for i in 101..200 loop
						begin update t set v = i; exception when others then raise; end;
						begin update t set v = -1; raise 'no'; exception when others then null; end;
					end loop; end $$;
					savepoint b; update t set v = 201; release b;
					commit`)
				changes := p.sinceMark()
				if len(changes) != 201 {
					t.Fatalf("%d changes, want 201", len(changes))
				}
				for i, c := range changes {
					if c.Old[1].Text != strconv.Itoa(i) || c.New[1].Text != strconv.Itoa(i+1) {
						t.Fatalf("change %d is %s", i, show(changes[i:i+1]))
					}
				}
			})
		}
	}
}

// Large values do not change how an entry is named.
func TestLargeEntriesHaveTheirNames(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v text);", Options{}, table("t", "v"))
	p.awaitAsleep()
	p.w.do("begin")
	var want []string
	for i := range 20 {
		size := []int{10, 3000, 20_000, 7000}[i%4] // by bell or by poll, in the journal's rows or beside them
		p.w.do(fmt.Sprintf("insert into t select %d, string_agg(md5(g::text), '') from generate_series(1, %d / 32) g", i, size))
		want = append(want, strconv.Itoa(i))
	}
	p.w.do("commit")
	var got []string
	for _, c := range p.sinceMark() {
		got = append(got, c.New[0].Text)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v", got)
	}
}
