-- A row of the catalog that changes is a new version of it, with another xmin;
-- what PostgreSQL changes by itself (statistics of VACUUM, say) it changes in
-- place. $1 and $2 name the tables, $3 the namespace, $4 its functions; $5 is
-- how large the journal may be.
with recursive named as (
	select s.oid as space, s.xmin as space_version, c.oid
	from unnest($1::text[], $2::text[]) as w(schema, name)
	join pg_catalog.pg_namespace s on s.nspname = w.schema
	left join pg_catalog.pg_class c on c.relnamespace = s.oid and c.relname = w.name
), member as (
	select oid from named
	union
	select i.inhrelid from member m join pg_catalog.pg_inherits i on i.inhparent = m.oid
), function as (
	select p.oid, p.xmin from pg_catalog.pg_proc p
	where p.proname = any($4::text[]) and p.pronamespace = (select oid from pg_catalog.pg_namespace where nspname = $3::text)
), part(version) as (
	select distinct concat('s', space, '/', space_version) from named
	union all
	select concat('c', c.oid, '/', c.xmin) from member join pg_catalog.pg_class c using (oid)
	union all
	select concat('a', a.attrelid, '/', a.attnum, '/', a.xmin)
		from member m join pg_catalog.pg_attribute a on a.attrelid = m.oid where a.attnum > 0
	union all
	select concat('i', i.indexrelid, '/', i.xmin)
		from named join pg_catalog.pg_index i on i.indrelid = named.oid
	union all
	select concat('f', oid, '/', xmin) from function
	union all
	-- Asking for the size locks a relation, so only the journal's is asked for.
	select concat('m', c.oid) from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
		where case when s.nspname = $3::text and c.relname = 'journal' then pg_catalog.pg_total_relation_size(c.oid) > $5 else false end
	union all
	-- The index of pg_depend is the way from a function to its triggers.
	select concat('t', t.oid, '/', t.xmin)
		from function f
		join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_proc'::regclass and d.refobjid = f.oid
			and d.classid = 'pg_catalog.pg_trigger'::regclass
		join pg_catalog.pg_trigger t on t.oid = d.objid
)
select coalesce(hashtextextended(string_agg(version, ' ' order by version collate "C"), 0), 0)::text from part
