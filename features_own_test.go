package rowsync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
	"github.com/rowsync/rowsync/pgtrigger"
)

// TestB14OwnWrites: whichever way a Subscriber writes, and whatever mode its
// pool runs statements in, the events are echoes to it alone.
func TestB14OwnWrites(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			w := openNodes(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			for _, way := range ways() {
				t.Run(way.name, func(t *testing.T) {
					w.t = t
					if err := way.write(t.Context(), w.sub, w.Pool); err != nil {
						t.Fatal(err)
					}
					w.judge()
					w.unmarked()
				})
			}
		})
	}
}

// TestB14NoTrace: what fails or is rolled back is told to nobody and marks
// nothing that comes after it; the error is PostgreSQL's.
func TestB14NoTrace(t *testing.T) {
	const (
		unique    = "23505"
		syntax    = "42601"
		inBlock   = "25001"
		foreign   = "23503"
		badNumber = "22P02"
	)
	code := func(err error, want string) error {
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != want {
			return fmt.Errorf("got %w, want an error of code %s", err, want)
		}
		return nil
	}
	const twice = "insert into people (id, name) overriding system value values (1, $1)"
	// The author is checked at the commit.
	const orphan = "insert into posts (title, author_id) values ($1, 99)"
	tests := []way{
		byWriter("Exec", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, twice, "x")
			return code(err, unique)
		}),
		byWriter("syntax", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, "updat people")
			return code(err, syntax)
		}),
		byWriter("second of several", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, "update people set name = 'x'; insert into people (id, name) overriding system value values (1, 'x')")
			return code(err, unique)
		}),
		byWriter("Exec, at the commit", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, orphan, "x")
			return code(err, foreign)
		}),
		byWriter("Exec with a mode, at the commit", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, orphan, pgx.QueryExecModeExec, "x")
			return code(err, foreign)
		}),
		byWriter("Query", func(ctx context.Context, w *rowsync.Writer) error {
			rows, err := w.Query(ctx, twice+" returning id", "x")
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			}
			return code(err, unique)
		}),
		byWriter("Query, at the commit", func(ctx context.Context, w *rowsync.Writer) error {
			rows, err := w.Query(ctx, orphan+" returning id", "x")
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			}
			return code(err, foreign)
		}),
		byWriter("QueryRow", func(ctx context.Context, w *rowsync.Writer) error {
			return code(w.QueryRow(ctx, twice+" returning id", "x").Scan(new(int64)), unique)
		}),
		byWriter("QueryRow, at the commit", func(ctx context.Context, w *rowsync.Writer) error {
			return code(w.QueryRow(ctx, orphan+" returning id", "x").Scan(new(int64)), foreign)
		}),
		byWriter("QueryRow with a mode, at the commit", func(ctx context.Context, w *rowsync.Writer) error {
			return code(w.QueryRow(ctx, orphan+" returning id", pgx.QueryExecModeExec, "x").Scan(new(int64)), foreign)
		}),
		byWriter("batch", func(ctx context.Context, w *rowsync.Writer) error {
			b := &pgx.Batch{}
			b.Queue(rename, "x")
			b.Queue("select $1::int", "no number")
			return code(w.SendBatch(ctx, b).Close(), badNumber)
		}),
		byWriter("batch that begins a transaction", func(ctx context.Context, w *rowsync.Writer) error {
			b := &pgx.Batch{}
			b.BeginTx(pgx.TxOptions{})
			b.Queue(rename, "x")
			err := w.SendBatch(ctx, b).Close()
			return only(fmt.Sprint(err), "send batch: it begins a transaction: call Begin of the Writer, and SendBatch of what that returns")
		}),
		byWriter("CopyFrom", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.CopyFrom(ctx, pgx.Identifier{"profiles"}, []string{"person_id", "bio"}, pgx.CopyFromRows([][]any{{1, "x"}, {1, "y"}}))
			return code(err, unique)
		}),
		byWriter("not in a transaction", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, "vacuum people")
			return code(err, inBlock)
		}),
		byWriter("begin", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin nonsense"})
			return code(err, syntax)
		}),
		byWriter("rollback", func(ctx context.Context, w *rowsync.Writer) error {
			tx, err := w.Begin(ctx)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, rename, "x")
			return errors.Join(err, tx.Rollback(ctx))
		}),
		{"Mark in a savepoint that is rolled back", func(ctx context.Context, sub *rowsync.Subscriber, db *pgxpool.Pool) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				inner, err := tx.Begin(ctx)
				if err != nil {
					return err
				}
				if err := errors.Join(sub.Mark(ctx, inner), inner.Rollback(ctx)); err != nil {
					return err
				}
				_, err = tx.Exec(ctx, "insert into tags values ('later', '')")
				return err
			})
		}},
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		w := openNodes(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
		w.exec("alter table posts alter constraint posts_author_id_fkey deferrable initially deferred")
		for _, test := range tests {
			t.Run(mode.String()+"/"+test.name, func(t *testing.T) {
				w.t = t
				if err := test.write(t.Context(), w.sub, w.Pool); err != nil {
					t.Error(err)
				}
				w.unmarked()
				w.exec("insert into tags values ('end', '')")
				for _, sub := range []*rowsync.Subscriber{w.sub, w.beside, w.node, w.another} {
					ev := next(t, sub)
					for ; ev.Table.Name == "tags"; ev = next(t, sub) {
						if !sub.ShouldUpdate(ev) {
							t.Errorf("%s is taken for an echo", ev)
						}
						if key := ev.Key(); len(key) == 1 && key[0].Text == "end" {
							break
						}
					}
					if ev.Table.Name != "tags" {
						t.Errorf("told %s", ev)
					}
				}
				w.exec("delete from tags where id = 'end'")
				w.exec("delete from tags where id = 'later'")
				for _, sub := range []*rowsync.Subscriber{w.sub, w.beside, w.node, w.another} {
					for next(t, sub).Key()[0].Text != "end" {
					}
				}
			})
		}
	}
}

// roundTrips counts what a frontend sends that the server answers before the
// next may be sent: Sync and Query messages.
type roundTrips struct{ n atomic.Int64 }

func (r *roundTrips) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("F\tSync")) || bytes.HasPrefix(line, []byte("F\tQuery")) {
		r.n.Add(1)
	}
	return len(line), nil
}

// TestB14RoundTrips: a marked statement costs no round trip more than one that
// is not.
func TestB14RoundTrips(t *testing.T) {
	var trips roundTrips
	url := pgtemp.Shared(t).Database(t, worldSQL+"insert into people (name) values ('ada')")
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.PgConn().Frontend().Trace(&trips, pgproto3.TracerOptions{SuppressTimestamps: true})
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	client, err := rowsync.Open(t.Context(), pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()},
		Source:   pgtrigger.New(openPool(t.Context(), t, url), nil), // whose polls are not counted
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := client.NewSubscriber(t.Context()).Writer()
	const returning = rename + " returning id"
	for _, test := range []struct {
		name  string
		want  int64
		write func(ctx context.Context) error
	}{
		{"Exec", 1, func(ctx context.Context) error { _, err := w.Exec(ctx, rename, "a"); return err }},
		{"QueryRow", 1, func(ctx context.Context) error { return w.QueryRow(ctx, returning, "b").Scan(new(int64)) }},
		{"Query", 1, func(ctx context.Context) error {
			rows, err := w.Query(ctx, returning, "c")
			if err != nil {
				return err
			}
			_, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		}},
		{"batch", 1, func(ctx context.Context) error {
			b := &pgx.Batch{}
			b.Queue(rename, "d")
			b.Queue(rename, "e")
			return w.SendBatch(ctx, b).Close()
		}},
		{"several", 3, func(ctx context.Context) error {
			_, err := w.Exec(ctx, "select 1; select 2")
			return err
		}},
		{"transaction", 3, func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, rename, "f"); return err })
		}},
	} {
		var took int64
		for range 2 { // once to prepare the statements
			before := trips.n.Load()
			if err := test.write(t.Context()); err != nil {
				t.Fatal(err)
			}
			took = trips.n.Load() - before
		}
		if took != test.want {
			t.Errorf("%s took %d round trips, want %d", test.name, took, test.want)
		}
	}
}
