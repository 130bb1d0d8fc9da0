package pgtrigger

import "fmt"

// stormPartsSQL is a partitioned table for the storm. Its ids are in one
// partition at a time. The log takes a DELETE of a row whose id is there, in the
// other partition, for half of a move, and the INSERT that follows for the other.
const stormPartsSQL = `
	create table parts (id bigint, bucket int, v bigint, primary key (id, bucket)) partition by list (bucket);
	create table parts_0 partition of parts for values in (0);
	create table parts_1 partition of parts for values in (1);
	create index on parts (id);
	create function log_parts() returns trigger language plpgsql as $$
	declare was text := '∅'; now text := '∅'; op text := lower(tg_op); half text[] := current_setting('storm.half', true)::text[];
	begin
		if op <> 'insert' then was := concat('(', old.id, ',', old.bucket, ',', old.v, ')'); end if;
		if op <> 'delete' then now := concat('(', new.id, ',', new.bucket, ',', new.v, ')'); end if;
		if op = 'delete' and exists (select from parts where id = old.id) then
			perform set_config('storm.half', array[old.id::text, was]::text, true);
			return null;
		end if;
		if op = 'insert' and half[1] = new.id::text then
			op := 'update';
			was := half[2];
		end if;
		perform set_config('storm.half', '{}', true);
		insert into log (change) values (op || ' public.parts ' || was || '→' || now);
		return null;
	end $$;
	create trigger log after insert or update or delete on parts for each row execute function log_parts();
	insert into parts select g, g % 2, 0 from generate_series(1, 40) g;
	truncate log`

// partsStatement returns a random statement that changes parts.
func (s *scribe) partsStatement() string {
	id := 1 + s.rnd.IntN(40)
	switch s.rnd.IntN(6) {
	case 0: // rows move
		return fmt.Sprintf("update parts set bucket = 1 - bucket where id <= 40 and id %% 7 = %d", s.rnd.IntN(7))
	case 1:
		return fmt.Sprintf("update parts set bucket = %d, v = v + 1 where id = %d", s.rnd.IntN(2), id)
	case 2: // its partition alone
		return fmt.Sprintf("update parts_%d set v = v + 1 where id = %d", s.rnd.IntN(2), id)
	case 3:
		first := s.fresh.take(20)
		return fmt.Sprintf("insert into parts select g, g %% 2, 0 from generate_series(%d, %d) g", first, first+s.rnd.IntN(20))
	case 4:
		return fmt.Sprintf("delete from parts where id > 40 and id %% 5 = %d", s.rnd.IntN(5))
	default:
		return fmt.Sprintf("update parts set v = v + 1 where id between %d and %d", id, id+s.rnd.IntN(20))
	}
}
