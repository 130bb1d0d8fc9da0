create or replace function {{.Function}}() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
{{- range .Settings}}
set {{.}}
{{- end}}
as {{body .Body}};
revoke all on function {{.Function}}() from public;
comment on function {{.Function}}() is {{literal .Comment}};
