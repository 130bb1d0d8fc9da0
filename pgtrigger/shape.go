package pgtrigger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// shapes says what the columns of journal and state look like, sorted. The
// triggers and the readers rely on all of it.
var shapes = map[string][]string{
	"journal": {
		`at timestamp with time zone not null default`, `def bigint not null`, `now text[]`, `op "char" not null`,
		`origin text`, `was text[]`, `xid xid8 not null default`,
	},
	"state": {
		`epoch uuid not null default`, `floor pg_snapshot`, `identity text not null`, `next pg_snapshot`,
		`next_at timestamp with time zone`, `one boolean not null default`,
	},
}

// blockSize is how many bytes a page has, unless PostgreSQL was built otherwise.
const blockSize = 8192

// largestJournal is what a table can hold at most: its pages are numbered in 32
// bits, and the last number is none
// (https://www.postgresql.org/docs/current/limits.html).
const largestJournal = (math.MaxUint32 - 1) * blockSize

// readShape finds out what has become of journal and state.
func (in *inspection) readShape(ctx context.Context, db querier, n names, maxJournal int64) error {
	rows, err := db.Query(ctx, `
		select c.relname, c.relpersistence = 'u', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
			exists (select from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
				where i.indrelid = c.oid and i.indisvalid and i.indpred is null
					and (a.attname = 'xid' or a.attname = 'one' and i.indisunique and i.indnkeyatts = 1)),
			array(select concat(a.attname, ' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
					case when a.attnotnull then ' not null' end, case when a.atthasdef then ' default' end) collate "C" as shape
				from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by shape),
			(select concat(c.oid, ' ', string_agg(concat(a.attnum, '/', a.xmin), ' ' order by a.attnum))
				from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0),
			case when c.relname = 'journal' then pg_catalog.pg_total_relation_size(c.oid) end
		from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
		where s.nspname = $1 and c.relname in ('journal', 'state') order by c.relname`, n.namespace)
	if err != nil {
		return err
	}
	in.mayRepair = true
	var (
		name                 string
		unlogged, own, index bool
		columns              []string
		now                  string
		size                 *int64
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &unlogged, &own, &index, &columns, &now, &size}, func() error {
		table := ident(n.namespace, name)
		if !unlogged {
			in.damage = append(in.damage, "table "+table+" is not unlogged any more")
		}
		if !index {
			in.damage = append(in.damage, "table "+table+" lacks its index")
		}
		if !slices.Equal(columns, shapes[name]) {
			in.damage = append(in.damage, fmt.Sprintf("table %s has the columns (%s) in place of (%s)",
				table, strings.Join(columns, ", "), strings.Join(shapes[name], ", ")))
		}
		if size != nil && *size > maxJournal {
			in.damage = append(in.damage, fmt.Sprintf("table %s takes %d MiB, more than MaxJournal (%d MiB)", table, *size>>20, maxJournal>>20))
		}
		in.mayRepair = in.mayRepair && own
		in.shapes += now + ";"
		return nil
	})
	return err
}

// dropDamaged makes way for journal and state to be made anew, which readers
// take for what it is: a journal that has lost its contents.
func (s *Source) dropDamaged(ctx context.Context, tx pgx.Tx, in *inspection) error {
	if len(in.damage) == 0 {
		return nil
	}
	s.opts.Logger.Warn("rowsync: making the journal anew, for it is not as it should be", "found", strings.Join(in.damage, "; "))
	return execScript(ctx, tx, fmt.Sprintf("drop table if exists %s, %s", s.names.Journal, s.names.State))
}
