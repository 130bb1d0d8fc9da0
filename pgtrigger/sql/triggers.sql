create trigger {{call .Trigger "insert"}} after insert on {{.Table}}
	referencing new table as new_rows
	for each statement execute function {{.Function}}();
create trigger {{call .Trigger "update"}} after update on {{.Table}}
	referencing old table as old_rows new table as new_rows
	for each statement execute function {{.Function}}();
create trigger {{call .Trigger "delete"}} after delete on {{.Table}}
	referencing old table as old_rows
	for each statement execute function {{.Function}}();
create trigger {{call .Trigger "truncate"}} after truncate on {{.Table}}
	for each statement execute function {{.Function}}();
