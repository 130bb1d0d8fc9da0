-- One statement, so one snapshot: the first row is about the snapshot itself,
-- the rest are the entries that it sees and the previous one ($1: its xmax, $2:
-- the transactions in progress then) did not.
select null::xid8, null::cid, null::bigint, null::"char", null::timestamptz,
	pg_current_snapshot()::text,
	(select array[array[epoch::text, floor::text, pg_relation_filenode({{literal .Journal}}::regclass)::text]] from {{.State}}),
	null::text[]
union all
select xid, cmin, def, op, at, origin, was, now
	from {{.Journal}} where xid >= $1::xid8 and def = any($3::bigint[])
union all
select xid, cmin, def, op, at, origin, was, now
	from {{.Journal}} where xid = any($2::xid8[]) and def = any($3::bigint[])
