-- What all captured tables share. The journal holds one row for each statement
-- that changed rows; both tables are unlogged, so that they cost no WAL, are in
-- no publication and are empty after a crash, which the readers notice.
{{if .CreateSchema}}create schema if not exists {{.Schema}};
{{end}}
create unlogged table if not exists {{.Journal}} (
	xid    xid8 not null default pg_current_xact_id(),
	def    bigint not null,
	op     "char" not null,
	at     timestamptz not null default clock_timestamp(),
	origin text,
	was    text[],
	now    text[]
) with (
	autovacuum_vacuum_scale_factor = 0,
	autovacuum_vacuum_threshold = 10000,
	autovacuum_vacuum_insert_threshold = -1,
	autovacuum_analyze_threshold = 2000000000,
	vacuum_truncate = false,
	toast.vacuum_truncate = false,
	toast.autovacuum_vacuum_scale_factor = 0,
	toast.autovacuum_vacuum_threshold = 10000
);
alter table {{.Journal}} alter column was set storage external, alter column now set storage external;
create index if not exists journal_xid on {{.Journal}} (xid);
comment on table {{.Journal}} is {{literal .Comment}};

create unlogged table if not exists {{.State}} (
	one      boolean primary key default true check (one),
	epoch    uuid not null default gen_random_uuid(),
	identity text not null,
	floor    pg_snapshot,
	next     pg_snapshot,
	next_at  timestamptz
);
comment on table {{.State}} is {{literal .Comment}};
