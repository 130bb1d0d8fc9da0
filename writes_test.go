package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// writer makes random transactions over the world.
type writer struct {
	rng *rand.Rand
	db  *pgxpool.Pool
	ops int
	// log is what was done, to be printed when a test fails.
	log []string
}

func (w *writer) name() string {
	return [...]string{"test", "apple", "melon", "zebra", "test", "nut"}[w.rng.IntN(6)] + fmt.Sprint(w.rng.IntN(5))
}

func (w *writer) tag() string { return fmt.Sprintf("t%d", w.rng.IntN(12)) }

// any returns a query for the id of a random row of a table, which may be null.
func (w *writer) any(table string) string {
	return fmt.Sprintf("(select id from %s order by md5(id::text || '%d') limit 1)", table, w.rng.IntN(1000))
}

// statement returns one random statement.
func (w *writer) statement() string {
	r := w.rng
	switch r.IntN(30) {
	case 0, 1:
		return fmt.Sprintf("insert into people (name) values ('%s')", w.name())
	case 2, 3, 4:
		return fmt.Sprintf("insert into posts (title, author_id, editor_id) select '%s', %s, %s from generate_series(1, %d)",
			w.name(), w.any("people"), w.any("people"), 1+r.IntN(3))
	case 5:
		return fmt.Sprintf("insert into tags values ('%s', '%s') on conflict (id) do update set name = excluded.name", w.tag(), w.name())
	case 6, 7, 8:
		return fmt.Sprintf("insert into posts_tags select p.id, t.id from %s p(id), %s t(id) where p.id is not null and t.id is not null on conflict do nothing", w.any("posts"), w.any("tags"))
	case 9, 10:
		return fmt.Sprintf("insert into comments (post_id, body) select id, '%s' from %s p(id) where id is not null", w.name(), w.any("posts"))
	case 11:
		return fmt.Sprintf("insert into friends (person_id, friend_id) select a.id, b.id from %s a(id), %s b(id) where a.id is not null and b.id is not null", w.any("people"), w.any("people"))
	case 12:
		return fmt.Sprintf("insert into favourite_tags select a.id, b.id from %s a(id), %s b(id) where a.id is not null and b.id is not null", w.any("people"), w.any("tags"))
	case 13:
		return fmt.Sprintf("insert into profiles (person_id, bio) select id, '%s' from %s p(id) where id is not null on conflict (person_id) do update set bio = excluded.bio", w.name(), w.any("people"))
	case 14, 15:
		return fmt.Sprintf("update posts set title = '%s' where id = %s", w.name(), w.any("posts"))
	case 16:
		return fmt.Sprintf("update posts set author_id = %s where id = %s", w.any("people"), w.any("posts"))
	case 17:
		return fmt.Sprintf("update posts set editor_id = null where id = %s", w.any("posts"))
	case 18:
		return fmt.Sprintf("update people set name = '%s' where id = %s", w.name(), w.any("people"))
	case 19:
		return fmt.Sprintf("update tags set name = '%s' where id = %s", w.name(), w.any("tags"))
	case 20:
		return fmt.Sprintf("update comments set post_id = %s where id = %s and exists (select from posts)", w.any("posts"), w.any("comments"))
	case 21:
		return fmt.Sprintf("delete from posts_tags where (post_id, tag_id) = (select post_id, tag_id from posts_tags order by md5(post_id || tag_id || '%d') limit 1)", r.IntN(1000))
	case 22:
		return fmt.Sprintf("update posts_tags set tag_id = %s where post_id = %s and not exists (select from posts_tags x where x.post_id = posts_tags.post_id and x.tag_id <> posts_tags.tag_id)", w.any("tags"), w.any("posts"))
	case 23:
		return fmt.Sprintf("delete from posts where id = %s", w.any("posts"))
	case 24:
		return fmt.Sprintf("delete from comments where id = %s", w.any("comments"))
	case 25:
		table := [...]string{"people", "tags", "friends", "profiles"}[r.IntN(4)]
		return fmt.Sprintf("delete from %s where id = %s", table, w.any(table))
	case 26:
		return fmt.Sprintf("update posts set title = 'test' || id %% 3, author_id = %s where id %% 3 = %d", w.any("people"), r.IntN(3))
	case 27:
		// A row gets another key; what refers to it follows by cascade.
		return fmt.Sprintf("update tags set id = '%s' where id = %s and not exists (select from tags where id = '%[1]s')", w.tag(), w.any("tags"))
	case 28:
		return "update friends set person_id = friend_id, friend_id = person_id where id % 2 = 0"
	default:
		switch r.IntN(40) {
		case 0:
			return "truncate posts_tags"
		case 1:
			return "truncate posts cascade"
		}
		return fmt.Sprintf("delete from favourite_tags where person_id = %s", w.any("people"))
	}
}

// transaction makes one random transaction: some are rolled back, some have
// parts rolled back.
func (w *writer) transaction(ctx context.Context) error {
	tx, err := w.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for range 1 + w.rng.IntN(4) {
		if err := w.part(ctx, tx); err != nil {
			return err
		}
	}
	if w.rng.IntN(8) == 0 {
		w.log = append(w.log, "rollback")
		return nil
	}
	w.log = append(w.log, "commit")
	if err := tx.Commit(ctx); err != nil && !errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	return nil
}

// part makes one random statement in a savepoint, so that a statement that
// fails ends itself alone.
func (w *writer) part(ctx context.Context, tx pgx.Tx) error {
	w.ops++
	sql := w.statement()
	w.log = append(w.log, sql)
	part, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = part.Exec(ctx, sql)
	if pgErr := (*pgconn.PgError)(nil); err != nil && !errors.As(err, &pgErr) {
		return err
	}
	if err != nil || w.rng.IntN(10) == 0 {
		w.log = append(w.log, fmt.Sprintf("  rolled back: %v", err))
		return part.Rollback(ctx)
	}
	return part.Commit(ctx)
}

// writers write at the same time, each with a random generator of its own.
type writers []*writer

func newWriters(seed uint64, n int, db *pgxpool.Pool) writers {
	ws := make(writers, n)
	for i := range ws {
		ws[i] = &writer{rng: rand.New(rand.NewPCG(seed, uint64(i+2))), db: db}
	}
	return ws
}

// write makes transactions, by one writer after the other or by all at once.
func (ws writers) write(ctx context.Context, t testing.TB, transactions int, together bool) {
	t.Helper()
	var (
		wait sync.WaitGroup
		errs = make([]error, len(ws))
	)
	for i, w := range ws {
		run := func() {
			for range transactions {
				if err := w.transaction(ctx); err != nil {
					errs[i] = err
					return
				}
			}
		}
		if together {
			wait.Go(run)
		} else {
			run()
		}
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// takeLog returns what was written since the last call.
func (ws writers) takeLog() string {
	var b strings.Builder
	for i, w := range ws {
		fmt.Fprintf(&b, "-- writer %d\n%s\n", i, strings.Join(w.log, "\n"))
		w.log = nil
	}
	return b.String()
}

func (ws writers) ops() int {
	n := 0
	for _, w := range ws {
		n += w.ops
	}
	return n
}
