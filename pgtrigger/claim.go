package pgtrigger

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A reader's session holds, in shared mode, one advisory lock for each of the
// definitions that it reads, from before it looks whether their triggers are
// there. Whoever removes a definition needs the lock exclusively, so that it
// never removes one that is in use or about to be.

// claimKey is the second half of a definition's lock key: the front of its
// hash, with the sign set, which keeps it clear of the other keys. That two
// definitions share one does no harm: both count as used then.
func claimKey(id int64) int32 { return int32(uint32(id>>32)) | math.MinInt32 }

// parseDefinition reads the hash that names a definition.
func parseDefinition(hash string) (id int64, err error) {
	n, err := strconv.ParseUint(hash, 16, 64)
	if err != nil || len(hash) != 16 {
		return 0, fmt.Errorf("definition %q: want the 16 hexadecimal digits that Source.Installed gives", hash)
	}
	return int64(n), nil
}

// claim takes the locks of the reader's definitions that the session does not
// hold yet. It waits while one of them is being removed.
func (r *reader) claim(ctx context.Context) error {
	var keys []int32
	for _, d := range r.defs.all {
		if key := claimKey(d.id); !r.claimed[key] {
			r.claimed[key] = true
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := r.ses.conn.Exec(ctx, "select pg_advisory_lock_shared($1, k) from unnest($2::int[]) k", r.src.names.Class, keys)
	if err != nil {
		return fmt.Errorf("claim definitions: %w", err)
	}
	return nil
}

// disclaim gives back the lock of a definition that the reader does not read any
// more, unless it stands for one that it does.
func (r *reader) disclaim(ctx context.Context, old *definition) error {
	key := claimKey(old.id)
	for _, d := range r.defs.all {
		if claimKey(d.id) == key {
			return nil
		}
	}
	delete(r.claimed, key)
	if _, err := r.ses.conn.Exec(ctx, "select pg_advisory_unlock_shared($1, $2)", r.src.names.Class, key); err != nil {
		return fmt.Errorf("give back a definition: %w", err)
	}
	return nil
}

// Reader is a session that reads what a definition captures.
type Reader struct {
	PID         int
	User        string
	Application string
	// Address is where the client connects from; empty for a local socket, and
	// where this role may not see it.
	Address string
	// Since is when it connected; zero where this role may not see it.
	Since time.Time
}

// String names the session in one line.
func (r Reader) String() string {
	text := "pid " + strconv.Itoa(r.PID)
	var about []string
	for _, part := range []string{r.Application, r.User, r.Address} {
		if part != "" {
			about = append(about, part)
		}
	}
	if about != nil {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	return text
}

// readers returns who holds the lock of any definition, by its key.
func (s *Source) readers(ctx context.Context, db querier) (map[int32][]Reader, error) {
	rows, err := db.Query(ctx, `
		select l.objid::bigint, l.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
			coalesce(host(a.client_addr), ''), a.backend_start
		from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
		where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.classid = $1::bigint::oid
			and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
			and l.mode = 'ShareLock' and l.objid::bigint >= 2147483648
		order by l.pid`, int64(uint32(s.names.Class)))
	if err != nil {
		return nil, fmt.Errorf("read who uses definitions: %w", err)
	}
	found := map[int32][]Reader{}
	var (
		key   int64
		one   Reader
		since *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&key, &one.PID, &one.User, &one.Application, &one.Address, &since}, func() error {
		one.Since = time.Time{}
		if since != nil {
			one.Since = *since
		}
		found[int32(uint32(key))] = append(found[int32(uint32(key))], one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read who uses definitions: %w", err)
	}
	return found, nil
}
