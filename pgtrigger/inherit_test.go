package pgtrigger

import (
	"testing"
	"time"
)

const placesSQL = `
	create table places (id int primary key, name text);
	create table towns (mayor text) inherits (places);
	create table capitals (state text) inherits (towns);`

// The rows of a table are also those of the tables that inherit from it.
func TestInheritance(t *testing.T) {
	p := watching(t, placesSQL, Options{}, table("places", "name"))
	p.expect("insert into places values (1, 'a'); insert into towns values (2, 'b', ''); insert into capitals values (3, 'c', '', '')",
		"insert places ∅→(1,a)", "insert places ∅→(2,b)", "insert places ∅→(3,c)")
	p.expect("update places set name = name || '!' where id > 1", "update places (2,b)→(2,b!)", "update places (3,c)→(3,c!)")
	p.expect("update only places set name = 'x'", "update places (1,a)→(1,x)")
	p.expect("update capitals set state = 's'", "update places (3,c!)→(3,c!)")
	p.expect("delete from towns", "delete places (2,b!)→∅", "delete places (3,c!)→∅")
	p.expect("truncate only places", "truncate places ∅→∅")
	p.expect("truncate capitals", "truncate places ∅→∅")
	p.expect("truncate places", "truncate places ∅→∅")
}

// A table that inherits, watched itself, hears of what is written through its
// parent, and not of what its parent's other rows do.
func TestInheritanceChild(t *testing.T) {
	p := watching(t, placesSQL, Options{}, table("towns", "mayor"), table("capitals"))
	p.expectSet("insert into places values (1, ''); insert into towns values (2, '', 'm'); insert into capitals values (3, '', 'n', '')",
		"insert towns ∅→(2,m)", "insert capitals ∅→(3)", "insert towns ∅→(3,n)")
	p.expectSet("update places set name = 'x' where id < 3", "update towns (2,m)→(2,m)")
	p.expectSet("delete from places where id = 3", "delete capitals (3)→∅", "delete towns (3,n)→∅")
	p.expect("truncate only places")
	p.expectSet("truncate places", "truncate towns ∅→∅", "truncate capitals ∅→∅")
}

// Children that come and go are noticed, also by a table that had none.
func TestChildrenComeAndGo(t *testing.T) {
	p := watching(t, "create table places (id int primary key, name text);", Options{SafetyPoll: 20 * time.Millisecond}, table("places"))
	p.expect("insert into places values (1, '')", "insert places ∅→(1)")
	p.w.do("create table towns (primary key (id)) inherits (places)")
	p.awaitReset("places")
	p.expect("insert into towns values (2, '')", "insert places ∅→(2)")
	p.expect("truncate towns", "truncate places ∅→∅")
	p.w.do("create table lakes (deep int, id int not null, name text); insert into lakes values (1, 3, ''); alter table lakes inherit places")
	p.awaitReset("places")
	p.expect("update places set name = 'x' where id > 1", "update places (3)→(3)")
	p.w.do("alter table lakes no inherit places")
	p.awaitReset("places")
	p.await("the triggers to go", func() bool { return p.triggersOn("lakes") == "0" })
	p.expect("insert into lakes values (1, 4, ''); truncate lakes")
	p.expect("insert into places values (5, '')", "insert places ∅→(5)")
}

// A table that joins others while it is watched is captured in another way from
// then on, and when it leaves them, as before.
func TestTableJoinsOthers(t *testing.T) {
	p := watching(t, `
		create table alone (id int primary key); create table single (id int primary key);
		create table parts (id int primary key) partition by range (id); create table parents (id int);`,
		Options{SafetyPoll: 20 * time.Millisecond}, table("alone"), table("single"))
	p.expect("insert into alone values (1); insert into single values (1)", "insert alone ∅→(1)", "insert single ∅→(1)")
	p.w.do("alter table parts attach partition alone for values from (0) to (10); alter table single inherit parents")
	p.awaitReset("alone", "single")
	p.expect("insert into parts values (2); delete from parents where id = 1; truncate parts", "insert alone ∅→(2)", "delete single (1)→∅", "truncate alone ∅→∅")
	p.w.do("alter table parts detach partition alone; alter table single no inherit parents")
	p.awaitReset("alone", "single")
	p.expect("insert into alone values (3); insert into single values (3); truncate alone, single",
		"insert alone ∅→(3)", "insert single ∅→(3)", "truncate alone ∅→∅", "truncate single ∅→∅")
}
