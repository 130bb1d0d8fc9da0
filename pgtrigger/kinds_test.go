package pgtrigger

import (
	"context"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

func TestUnlogged(t *testing.T) {
	p := watching(t, "create unlogged table t (id int primary key, v text);", Options{}, table("t", "v"))
	p.expect("insert into t values (1, 'a'); update t set v = 'b'; delete from t",
		"insert t ∅→(1,a)", "update t (1,a)→(1,b)", "delete t (1,b)→∅")
}

// A stored generated column is a column like others. Of a virtual one triggers
// have no value, so it is refused.
func TestGeneratedColumns(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v int, twice int generated always as (v * 2) stored);", Options{}, table("t", "twice"))
	p.expect("insert into t values (1, 4); update t set v = 5", "insert t ∅→(1,8)", "update t (1,8)→(1,10)")

	const virtual = "create table virt (id int primary key, v int, twice int generated always as (v * 2) virtual)"
	if postgresMajor(t) < 18 {
		p.refuses(virtual)
		return
	}
	p.w.do(virtual)
	begin(t, p.url, Options{}, table("virt", "twice", "v")).
		awaitError(`public.virt: column "twice" is a virtual generated column`, "make it a stored one")
	q := &probe{node: start(t, p.url, Options{}, table("virt", "v"), marks()), w: p.w, url: p.url, marks: p.marks}
	q.expect("insert into virt values (1, 4)", "insert virt ∅→(1,4)")
}

// Columns of types that are made of others.
func TestColumnTypes(t *testing.T) {
	p := watching(t, `
		create type pair as (a int, b text);
		create type mood as enum ('sad', 'glad');
		create domain positive as int check (value > 0);
		create domain pairs as pair[];
		create table t (id int primary key, c pair, a int[][], e mood, ea mood[], d positive, dp pairs, r int4range, ra numrange[]);`,
		Options{}, table("t", "c", "a", "e", "ea", "d", "dp", "r", "ra"))
	p.expect(`insert into t values (1, (1, 'x y'), '{{1,2},{3,null}}', 'glad', '{sad,glad}', 7, array[(1, 'z')::pair], '[1,5]', '{"[1.50,2)"}')`,
		`insert t ∅→(1,(1,"x y"),{{1,2},{3,NULL}},glad,{sad,glad},7,{"(1,z)"},[1,6),{"[1.50,2)"})`)
	p.expect("update t set c.b = null, e = null, d = 8",
		`update t (1,(1,"x y"),{{1,2},{3,NULL}},glad,{sad,glad},7,{"(1,z)"},[1,6),{"[1.50,2)"})→(1,(1,),{{1,2},{3,NULL}},null,{sad,glad},8,{"(1,z)"},[1,6),{"[1.50,2)"})`)
}

func TestOnConflict(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v int); insert into t values (1, 1), (2, 2);", Options{}, table("t", "v"))
	p.expect("insert into t values (1, 10), (3, 30) on conflict do nothing", "insert t ∅→(3,30)")
	p.expect("insert into t values (1, 10), (2, 20) on conflict (id) do update set v = excluded.v", "update t (1,1)→(1,10)", "update t (2,2)→(2,20)")
	p.expect("insert into t values (1, 0) on conflict (id) do update set v = 5 where false")
	p.expect("insert into t values (1, 11), (9, 90) on conflict (id) do update set v = excluded.v", "update t (1,10)→(1,11)", "insert t ∅→(9,90)")
}

func TestMerge(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v int); insert into t values (1, 1), (2, 2), (3, 3);", Options{}, table("t", "v"))
	const merge = `merge into t using (values (1, 10), (2, null), (4, 40), (3, 3)) s(id, v) on t.id = s.id
		when matched and s.v is null then delete
		when matched and s.v = t.v then do nothing
		when matched then update set v = s.v
		when not matched then insert values (s.id, s.v)`
	if postgresMajor(t) < 15 {
		p.refuses(merge)
		return
	}
	p.expect(merge, "delete t (2,2)→∅", "update t (1,1)→(1,10)", "insert t ∅→(4,40)")
}

func TestCopy(t *testing.T) {
	p := watching(t, "create table t (id int primary key, v text);", Options{}, table("t", "v"))
	p.awaitAsleep()
	if _, err := p.w.PgConn().CopyFrom(context.Background(), strings.NewReader("1\ta\n2\t\\N\n"), "copy t from stdin"); err != nil {
		t.Fatal(err)
	}
	p.expect("select 1", "insert t ∅→(1,a)", "insert t ∅→(2,null)")
}

// What a foreign key does to other tables is captured there.
func TestForeignKeys(t *testing.T) {
	p := watching(t, `
		create table owners (id int primary key);
		create table cascaded (id int primary key, owner int references owners on delete cascade on update cascade);
		create table nulled (id int primary key, owner int references owners on delete set null);
		create table defaulted (id int primary key, owner int default 0 references owners on delete set default);
		insert into owners values (0), (1), (2);
		insert into cascaded values (10, 1), (11, 1), (12, 2); insert into nulled values (20, 2); insert into defaulted values (30, 2);`,
		Options{}, table("owners"), table("cascaded", "owner"), table("nulled", "owner"), table("defaulted", "owner"))
	p.expect("update owners set id = 5 where id = 1", "update owners (1)→(5)", "update cascaded (10,1)→(10,5)", "update cascaded (11,1)→(11,5)")
	p.expect("delete from owners where id = 2",
		"delete owners (2)→∅", "delete cascaded (12,2)→∅", "update nulled (20,2)→(20,null)", "update defaulted (30,2)→(30,0)")
	p.expect("truncate owners cascade", "truncate owners ∅→∅", "truncate cascaded ∅→∅", "truncate nulled ∅→∅", "truncate defaulted ∅→∅")
}

func TestDeferredConstraints(t *testing.T) {
	p := watching(t, `
		create table t (id int primary key, v int, unique (v) deferrable initially deferred);
		create table refs (id int primary key, t int references t on delete cascade deferrable initially deferred);
		insert into t values (1, 1), (2, 2);`, Options{}, table("t", "v"), table("refs", "t"))
	p.expect("begin; update t set v = 3 - v; update t set v = 9 where id = 1; insert into refs values (1, 7); insert into t values (7, 7); commit",
		"update t (1,1)→(1,2)", "update t (2,2)→(2,1)", "update t (1,2)→(1,9)", "insert refs ∅→(1,7)", "insert t ∅→(7,7)")
	// What is refused at the commit has not happened.
	if _, err := p.w.Exec(t.Context(), "insert into refs values (2, 999)"); err == nil {
		t.Error("the constraint was not checked")
	}
	p.expect("delete from t where id = 7", "delete t (7,7)→∅", "delete refs (1,7)→∅")
}

// What is captured is what is stored, not what the statement said.
func TestRulesAndBeforeTriggers(t *testing.T) {
	p := watching(t, `
		create table t (id int primary key, v text);
		create table kept (id int primary key);
		create view seen as select * from t;
		create rule into_t as on insert to seen do instead insert into t values (new.id, new.v || '?');
		create rule log as on delete to t do also insert into kept values (old.id);
		create function shout() returns trigger language plpgsql as $$ begin
			if new.v = 'drop' then return null; end if;
			new.v := upper(new.v); return new; end $$;
		create trigger shout before insert or update on t for each row execute function shout();`, Options{}, table("t", "v"), table("kept"))
	p.expect("insert into t values (1, 'a'), (2, 'drop')", "insert t ∅→(1,A)")
	p.expect("insert into seen values (3, 'b')", "insert t ∅→(3,B?)")
	p.expect("update t set v = 'c' where id = 1; update t set v = 'drop'", "update t (1,A)→(1,C)")
	p.expect("delete from t where id = 1", "insert kept ∅→(1)", "delete t (1,C)→∅")
}

// One statement that changes two tables, each captured by its own entry.
func TestWritableCTE(t *testing.T) {
	p := watching(t, `
		create table a (id int primary key, v int); create table b (id int primary key, v int);
		insert into a values (1, 10), (2, 20);`, Options{}, table("a", "v"), table("b", "v"))
	got := map[string]bool{}
	for _, c := range p.changesOf("with moved as (delete from a where id = 1 returning *), more as (update a set v = 21 where id = 2) insert into b select * from moved") {
		got[show([]capture.Change{c})] = true
	}
	for _, want := range []string{"delete public.a (1,10)→∅", "update public.a (2,20)→(2,21)", "insert public.b ∅→(1,10)"} {
		if !got[want] {
			t.Errorf("%s is missing of %v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}
