
#variable_conflict use_column
declare
	was_   text[];
	now_   text[];
	entry_ record;
	small_ text;
begin
	-- The block only reads: a write in it would take a subtransaction id. Its
	-- queries do not look into the journal, yet fail here, where it does no
	-- harm, if it is gone or altered, return nothing if it is forbidden, and
	-- keep it there until the transaction ends.
	begin
		if tg_op = 'UPDATE' then
			select (select array_agg(array[{{.Values}}]) from (select {{.Names}} from new_rows limit {{.MaxRows}} + 1) r),
				(select array_agg(array[{{.Values}}]) from (select {{.Names}} from old_rows limit {{.MaxRows}} + 1) r)
				into now_, was_ where {{template "writable" .}};
			if now_ is null then
				return null;
			end if;
			if was_ = now_ then
				was_ := null;
			end if;
		elsif tg_op = 'INSERT' then
			select array_agg(array[{{.Values}}]) into now_
				from (select {{.Names}} from new_rows limit {{.MaxRows}} + 1) r where {{template "writable" .}};
			if now_ is null then
				return null;
			end if;
		elsif tg_op = 'DELETE' then
			select array_agg(array[{{.Values}}]) into was_
				from (select {{.Names}} from old_rows limit {{.MaxRows}} + 1) r where {{template "writable" .}};
			if was_ is null then
				return null;
			end if;
		else
			perform 1 where {{template "writable" .}};
			if not found then
				return null;
			end if;
		end if;
		-- Beyond these bounds the entry says that the table changed, no more.
		if array_length(coalesce(now_, was_), 1) > {{.MaxRows}}
			or coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) > {{.MaxBytes}}
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
		insert into {{.Journal}} (def, op, origin, was, now)
			values ({{.ID}}, left(tg_op, 1)::"char", nullif(current_setting('rowsync.origin', true), ''), was_, now_)
			returning xid, ctid, at, origin into entry_;
		if coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) < {{.MaxSmall}} then
			small_ := json_build_array(entry_.xid::text, entry_.ctid::text, {{.ID}}, left(tg_op, 1),
				(extract(epoch from entry_.at) * 1000000)::bigint, entry_.origin, was_, now_)::text;
		end if;
		if small_ is null or octet_length(small_) > {{.MaxPayload}} then
			small_ := json_build_array(entry_.xid::text, null, {{.ID}})::text;
		end if;
		perform pg_notify({{literal .Channel}}, small_);
		return null;
	end if;
{{- end}}

	insert into {{.Journal}} (def, op, origin, was, now)
		values ({{.ID}}, left(tg_op, 1)::"char", nullif(current_setting('rowsync.origin', true), ''), was_, now_);
	return null;
end
{{define "writable"}}has_table_privilege({{literal .Journal}}::regclass, 'INSERT')
					and not exists (select xid, def, op, at, origin, was, now from {{.Journal}} where false){{end}}
