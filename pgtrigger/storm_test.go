package pgtrigger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/capture"
)

// stormSQL has a log that row triggers fill in the same transactions, as a
// second opinion on what was committed.
const stormSQL = `
	create table items (id bigint, part text, v bigint, note text, primary key (id, part));
	create table parents (id bigint primary key);
	create table children (id bigint primary key, parent bigint references parents on delete cascade on update cascade);
	create table log (xid xid8 default pg_current_xact_id(), change text);
	create index on log (xid);
	create function log() returns trigger language plpgsql as $$
	declare was text := '∅'; now text := '∅';
	begin
		if tg_table_name = 'items' then
			if tg_op <> 'INSERT' then was := concat('(', old.id, ',', old.part, ',', coalesce(old.v::text, 'null'), ')'); end if;
			if tg_op <> 'DELETE' then now := concat('(', new.id, ',', new.part, ',', coalesce(new.v::text, 'null'), ')'); end if;
		else
			if tg_op <> 'INSERT' then was := concat('(', old.id, ',', old.parent, ')'); end if;
			if tg_op <> 'DELETE' then now := concat('(', new.id, ',', new.parent, ')'); end if;
		end if;
		insert into log (change) values (lower(tg_op) || ' public.' || tg_table_name || ' ' || was || '→' || now);
		return null;
	end $$;
	create trigger log after insert or update or delete on items for each row execute function log();
	create trigger log after insert or update or delete on children for each row execute function log();
	insert into items select g, 'a', 0, '' from generate_series(1, 40) g;
	insert into parents select g from generate_series(1, 20) g;
	insert into children select g, 1 + g % 20 from generate_series(1, 60) g;
	truncate log;` + stormPartsSQL

func stormTables() []*capture.Table {
	return tablesOf(
		&capture.Table{Schema: "public", Name: "items", Key: []string{"id", "part"}, Columns: []string{"v"}},
		&capture.Table{Schema: "public", Name: "children", Key: []string{"id"}, Columns: []string{"parent"}},
		&capture.Table{Schema: "public", Name: "parts", Key: []string{"id"}, Columns: []string{"bucket", "v"}})
}

// scribe writes at random.
type scribe struct {
	conn  *pgx.Conn
	rnd   *rand.Rand
	fresh *freshIDs
}

// freshIDs hands out ids that were never used.
type freshIDs struct {
	sync.Mutex
	next int
}

func (f *freshIDs) take(n int) int {
	f.Lock()
	defer f.Unlock()
	f.next += n
	return f.next - n
}

// statement returns a random statement.
func (s *scribe) statement() string {
	id := 1 + s.rnd.IntN(40)
	switch s.rnd.IntN(13) {
	case 0:
		first := s.fresh.take(20)
		return fmt.Sprintf("insert into items select g, 'a', 0, '' from generate_series(%d, %d) g", first, first+s.rnd.IntN(20))
	case 1:
		return fmt.Sprintf("delete from items where id > 40 and id %% 7 = %d", s.rnd.IntN(7))
	case 2:
		return fmt.Sprintf("update items set v = v + 1, part = part || 'x' where id > 40 and id %% 5 = %d and length(part) < 5", s.rnd.IntN(5))
	case 3: // more than fits a payload
		return fmt.Sprintf("update items set v = coalesce(v, 0) + 1 where id between 1 and %d", s.rnd.IntN(40))
	case 4:
		return fmt.Sprintf("insert into items values (%d, 'a', 1, '') on conflict (id, part) do update set v = coalesce(items.v, 0) + 1", id)
	case 5:
		return fmt.Sprintf("update items set v = nullif(v, %d), note = 'n' where id = %d", id, id)
	case 6:
		return fmt.Sprintf("delete from parents where id > 20 and id %% 3 = %d", s.rnd.IntN(3))
	case 7:
		first := s.fresh.take(3)
		return fmt.Sprintf("with p as (insert into parents values (%[1]d) returning id) insert into children select %[1]d + g, 1 + g from generate_series(0, 2) g", first)
	case 8:
		return fmt.Sprintf("update children set parent = 1 + %d where id = %d", s.rnd.IntN(20), 1+s.rnd.IntN(60))
	case 9, 10, 11:
		return s.partsStatement()
	default:
		return fmt.Sprintf("update items set v = coalesce(v, 0) + 1 where id = %d", id)
	}
}

// transaction runs one transaction of some kind. Errors, of deadlocks say,
// roll it back, as the log is too.
func (s *scribe) transaction(ctx context.Context) {
	tx, err := s.conn.Begin(ctx)
	if err != nil {
		return
	}
	defer tx.Rollback(ctx)
	for n := 1 + s.rnd.IntN(3); n > 0; n-- {
		if _, err := tx.Exec(ctx, s.statement()); err != nil {
			return
		}
		if s.rnd.IntN(4) == 0 { // a savepoint, half of them left behind
			inner, err := tx.Begin(ctx)
			if err != nil {
				return
			}
			_, err = inner.Exec(ctx, s.statement())
			if err != nil || s.rnd.IntN(2) == 0 {
				inner.Rollback(ctx)
			} else {
				inner.Commit(ctx)
			}
		}
		if s.rnd.IntN(15) == 0 {
			time.Sleep(time.Duration(s.rnd.IntN(40)) * time.Millisecond)
		}
	}
	if s.rnd.IntN(6) > 0 {
		tx.Commit(ctx)
	}
}

// storm lets writers write for d, in turns busy and quiet.
func storm(t *testing.T, url string, writers int, d time.Duration, seed uint64) {
	t.Helper()
	ctx := context.Background()
	fresh := &freshIDs{next: 1000}
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for i := range writers {
		w := connect(t, url)
		w.do("set deadlock_timeout = '5ms'; set statement_timeout = '10s'")
		s := &scribe{conn: w.Conn, rnd: rand.New(rand.NewPCG(seed, uint64(i))), fresh: fresh}
		all.Go(func() {
			for time.Now().Before(end) {
				s.transaction(ctx)
				if calm := time.Until(end).Milliseconds()/700%2 == 0; calm {
					time.Sleep(time.Duration(s.rnd.IntN(300)) * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
}

// compareLog checks that the node was told of exactly what the log holds.
func (n *node) compareLog(w *writer) {
	n.t.Helper()
	rows, err := w.Query(context.Background(), "select xid::text || ' ' || change from log")
	if err != nil {
		n.t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		n.t.Fatal(err)
	}
	n.await(fmt.Sprintf("%d changes", len(want)), func() bool { return len(n.changes) >= len(want) })
	n.mu.Lock()
	defer n.mu.Unlock()
	got := make([]string, len(n.changes))
	for i, c := range n.changes {
		got[i] = fmt.Sprintf("%d %s", c.TxID, show([]capture.Change{c}))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(n.resets) > 0 {
		n.t.Errorf("resets: %v", n.resets)
	}
	if slices.Equal(got, want) {
		return
	}
	n.t.Errorf("%d changes, the log has %d", len(got), len(want))
	counts := map[string]int{}
	for _, line := range want {
		counts[line]++
	}
	for _, line := range got {
		counts[line]--
	}
	shown := 0
	for line, count := range counts {
		if count != 0 && shown < 10 {
			n.t.Errorf("missing %d times: %s", count, line)
			shown++
		}
	}
}

// checkOrder plays the changes of each row in the order of delivery: each must
// begin where the one before ended. It also checks that transactions come in
// one piece.
func (n *node) checkOrder() {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	state := map[string]string{} // by table and key
	done := map[uint64]bool{}
	var current uint64
	faults := 0
	for i, c := range n.changes {
		if c.TxID != current {
			if done[c.TxID] {
				n.t.Errorf("change %d: transaction %d comes in pieces", i, c.TxID)
			}
			done[current], current = true, c.TxID
		}
		keys := len(c.Table.Key)
		if c.Old != nil {
			key := c.Table.Name + showRow(c.Old[:keys])
			if was, known := state[key]; known && was != showRow(c.Old) && faults < 10 {
				n.t.Errorf("change %d: %s, but the row was %s", i, show([]capture.Change{c}), was)
				faults++
			}
			state[key] = "gone"
		}
		if c.New != nil {
			key := c.Table.Name + showRow(c.New[:keys])
			if was, known := state[key]; known && was != "gone" && faults < 10 {
				n.t.Errorf("change %d: %s, but there was %s already", i, show([]capture.Change{c}), was)
				faults++
			}
			state[key] = showRow(c.New)
		}
	}
}

// Several nodes, many writers: every node is told of every committed change
// once, of those of a row in the order of the commits.
func TestStorm(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	url := database(t, stormSQL)
	nodes := []*node{
		start(t, url, Options{}, stormTables()...),
		start(t, url, Options{NoBell: true}, stormTables()...),
		start(t, url, Options{PollInterval: 3 * time.Millisecond}, stormTables()...),
	}
	storm(t, url, 8, 4*time.Second, seed)
	w := connect(t, url)
	w.do("delete from children where id = 1; delete from items where id = 1 and part = 'a'; delete from parts where id = 1")
	for _, n := range nodes {
		n.compareLog(w)
		n.checkOrder()
		n.report()
	}
}

// report logs how late changes came after their statements.
func (n *node) report() {
	n.mu.Lock()
	defer n.mu.Unlock()
	modes := map[event]int{}
	for _, e := range n.events {
		modes[e]++
	}
	n.t.Logf("%d changes in %d bursts, events %v", len(n.changes), len(n.bursts), modes)
}

// The reader's backend is killed over and over.
func TestStormKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	url := database(t, stormSQL)
	nodes := []*node{start(t, url, Options{}, stormTables()...), start(t, url, Options{}, stormTables()...)}
	ctx, stop := context.WithCancel(t.Context())
	killer := connect(t, url)
	var killing sync.WaitGroup
	killing.Go(func() {
		for sleep(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond)) {
			killer.PgConn().Exec(context.Background(), `select pg_terminate_backend(pid) from pg_stat_activity
				where application_name = 'rowsync' and datname = current_database()`).ReadAll()
		}
	})
	storm(t, url, 6, 4*time.Second, seed)
	stop()
	killing.Wait()
	w := connect(t, url)
	w.do("delete from children where id = 1; delete from items where id = 1 and part = 'a'; delete from parts where id = 1")
	for _, n := range nodes {
		n.compareLog(w)
		n.checkOrder()
		n.report()
	}
}
