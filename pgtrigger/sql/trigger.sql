{{.Create}} {{.Name}} after {{.Op}} on {{.On}}
{{- if .Rows}}
	for each row execute function {{.Function}}();
{{- else}}
{{- if eq .Op "insert"}}
	referencing new table as new_rows
{{- else if eq .Op "update"}}
	referencing old table as old_rows new table as new_rows
{{- else if eq .Op "delete"}}
	referencing old table as old_rows
{{- end}}
	for each statement execute function {{.Function}}();
{{- end}}
{{if .Always}}alter table {{.On}} enable always trigger {{.Name}};
{{end}}