		if tg_op = 'UPDATE' then
			select (select array_agg(array[{{.Values}}]) from (select {{.Names}} from new_rows limit {{.MaxRows}} + 1) r),
				(select array_agg(array[{{.Values}}]) from (select {{.Names}} from old_rows limit {{.MaxRows}} + 1) r)
				into now_, was_ where {{template "writable" .}};
			if now_ is null then
				return null;
			end if;
			if was_ = now_ then
				{{if .OnlyChanged}}return null{{else}}was_ := null{{end}};
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
