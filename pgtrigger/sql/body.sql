
#variable_conflict use_column
declare
	was_   text[];
	now_   text[];
	place_ tid;
{{- if not .Rows}}
	entry_ record;
	small_ text;
{{- end}}
begin
	-- The block only reads: a write in it would take a subtransaction id. Its
	-- queries do not look into the journal, yet fail here, where it does no
	-- harm, if it is gone or has other columns or types, return nothing if it is
	-- forbidden, and keep it as it is until the transaction ends.
	begin
{{if .Rows}}{{template "rows.sql" .}}{{else}}{{template "statement.sql" .}}{{end}}		-- Beyond these bounds the entry says that the table changed, no more.
		if array_length(coalesce(now_, was_), 1) > {{.MaxRows}}
			or coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) > {{.MaxBytes}}
			or coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) > {{.MaxInline}}
				and pg_total_relation_size({{literal .Journal}}::regclass) > {{.MaxJournal}}
		then
			was_ := null;
			now_ := null;
		end if;
	exception when others then
		was_ := null;
		now_ := null;
		begin
			perform 1 where {{template "writable" .}};
			if not found then
				return null;
			end if;
		exception when others then
			return null;
		end;
	end;
{{- if .Bell}}

	-- A reader that sleeps holds the lock in shared mode. It is tried by a
	-- transaction that has an id, and given back in the same expression, so that
	-- a cancelled statement keeps nothing.
	if (case when pg_current_xact_id() is null or pg_try_advisory_lock({{.Class}}, pg_backend_pid() & {{.KeyMask}})
		then not pg_advisory_unlock({{.Class}}, pg_backend_pid() & {{.KeyMask}})
		else true end)
	then
{{- if .Rows}}
		insert into {{.Journal}} (xid, def, op, at, origin, was, now)
			values (pg_current_xact_id(), {{.ID}}, left(tg_op, 1)::"char", clock_timestamp(), nullif(current_setting('rowsync.origin', true), ''), was_, now_)
			returning ctid into place_;
{{template "bound" .}}		-- Without the entry, so that of all the bells of a transaction one remains.
		perform pg_notify({{literal .Channel}}, json_build_array(pg_current_xact_id()::text, null, {{.ID}})::text);
{{- else}}
		insert into {{.Journal}} (xid, def, op, at, origin, was, now)
			values (pg_current_xact_id(), {{.ID}}, left(tg_op, 1)::"char", clock_timestamp(), nullif(current_setting('rowsync.origin', true), ''), was_, now_)
			returning ctid, xid, cmin, at, origin::text into entry_;
		place_ := entry_.ctid;
{{template "bound" .}}		if coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) < {{.MaxSmall}} then
			small_ := json_build_array(entry_.xid::text, entry_.cmin::text, {{.ID}}, left(tg_op, 1),
				(extract(epoch from entry_.at) * 1000000)::bigint, entry_.origin, was_, now_)::text;
		end if;
		if small_ is null or octet_length(small_) > {{.MaxPayload}} then
			small_ := json_build_array(entry_.xid::text, null, {{.ID}})::text;
		end if;
		perform pg_notify({{literal .Channel}}, small_);
{{- end}}
		return null;
	end if;
{{- end}}

	insert into {{.Journal}} (xid, def, op, at, origin, was, now)
		values (pg_current_xact_id(), {{.ID}}, left(tg_op, 1)::"char", clock_timestamp(), nullif(current_setting('rowsync.origin', true), ''), was_, now_)
		returning ctid into place_;
{{template "bound" .}}	return null;
end
{{define "bound"}}		-- Nobody has read and cleaned for so long that the journal fills the disk: no
		-- entry stays. The file does not shrink, so the reader that comes sees it,
		-- and makes the journal anew when nobody who was here is open any more.
		if place_ > '({{.MaxBlock}},0)'::tid then
			if has_table_privilege({{literal .Journal}}::regclass, 'DELETE') and has_table_privilege({{literal .Journal}}::regclass, 'SELECT') then
				delete from {{.Journal}} where ctid = place_;
			end if;
			return null;
		end if;
{{end}}{{define "writable"}}has_table_privilege({{literal .Journal}}::regclass, 'INSERT')
					and not exists (select from {{.Journal}} where false and xid = null::xid8 and null::int8range @> def and op = null::"char"
						and null::tstzrange @> at and origin = null::text and was @> null::text[] and now @> null::text[]){{end}}
