		if tg_op = 'UPDATE' then
			select array[array[{{.New}}]], array[array[{{.Old}}]] into now_, was_ where {{template "writable" .}};
			if now_ is null then
				return null;
			end if;
			if was_ = now_ then
				{{if .OnlyChanged}}return null{{else}}was_ := null{{end}};
			end if;
		elsif tg_op = 'INSERT' then
			select array[array[{{.New}}]] into now_ where {{template "writable" .}};
			if now_ is null then
				return null;
			end if;
		elsif tg_op = 'DELETE' then
			select array[array[{{.Old}}]] into was_ where {{template "writable" .}};
			if was_ is null then
				return null;
			end if;
		else
			perform 1 where {{template "writable" .}};
			if not found then
				return null;
			end if;
		end if;
