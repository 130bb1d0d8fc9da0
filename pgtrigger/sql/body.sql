
#variable_conflict use_column
declare
	was_     text[];
	now_     text[];
	origin_  text := nullif(current_setting('rowsync.origin', true), '');
	xid_     xid8;
	ctid_    tid;
	at_      timestamptz;
	payload_ text;
begin
	-- The block only reads: a write in it would take a subtransaction id.
	begin
		-- Inserts nothing, but fails here, where it does no harm, if the
		-- journal is gone or forbidden, and keeps the journal until the
		-- transaction ends.
		insert into {{.Journal}} (def, op, origin, was, now)
			select {{.ID}}, 'I', null, null, null where false;
		if tg_op in ('INSERT', 'UPDATE') then
			select array_agg(array[{{.Values}}]) into now_
				from (select {{.Names}} from new_rows limit {{.MaxRows}} + 1) r;
		end if;
		if tg_op in ('UPDATE', 'DELETE') then
			select array_agg(array[{{.Values}}]) into was_
				from (select {{.Names}} from old_rows limit {{.MaxRows}} + 1) r;
		end if;
		if tg_op <> 'TRUNCATE' and now_ is null and was_ is null then
			return null;
		end if;
		if was_ = now_ then
			was_ := null;
		end if;
		-- Beyond these bounds the entry says that the table changed, no more.
		if greatest(array_length(now_, 1), array_length(was_, 1)) > {{.MaxRows}}
			or coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) > {{.MaxBytes}}
		then
			was_ := null;
			now_ := null;
		end if;
	exception when others then
		was_ := null;
		now_ := null;
		begin
			insert into {{.Journal}} (def, op, origin, was, now)
				select {{.ID}}, 'I', null, null, null where false;
		exception when others then
			return null;
		end;
	end;

	insert into {{.Journal}} (def, op, origin, was, now)
		values ({{.ID}}, left(tg_op, 1)::"char", origin_, was_, now_)
		returning xid, ctid, at into xid_, ctid_, at_;
{{- if .Bell}}

	-- A reader that sleeps holds the lock in shared mode. It is tried after the
	-- insert, which made sure of a transaction id, and given back in the same
	-- expression, so that a cancelled statement keeps nothing.
	if (case when pg_try_advisory_lock({{.Class}}, pg_backend_pid() & {{.KeyMask}})
		then not pg_advisory_unlock({{.Class}}, pg_backend_pid() & {{.KeyMask}})
		else true end)
	then
		if coalesce(pg_column_size(now_), 0) + coalesce(pg_column_size(was_), 0) < {{.MaxSmall}} then
			payload_ := json_build_array(xid_::text, ctid_::text, {{.ID}}, left(tg_op, 1),
				(extract(epoch from at_) * 1000000)::bigint, origin_, was_, now_)::text;
		end if;
		if payload_ is null or octet_length(payload_) > {{.MaxPayload}} then
			payload_ := json_build_array(xid_::text, null, {{.ID}})::text;
		end if;
		perform pg_notify({{literal .Channel}}, payload_);
	end if;
{{- end}}
	return null;
end
