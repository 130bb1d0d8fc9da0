package rowsync_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
	"github.com/rowsync/rowsync/pgtrigger"
)

// generated is what sqlc calls DBTX, with its batches and copies.
type generated interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

var _ generated = (*rowsync.Writer)(nil)

// way is a way to write as a Subscriber. Each changes at least one person.
type way struct {
	name  string
	write func(ctx context.Context, sub *rowsync.Subscriber, db *pgxpool.Pool) error
}

// byWriter is a way through the Writer.
func byWriter(name string, write func(ctx context.Context, w *rowsync.Writer) error) way {
	return way{name, func(ctx context.Context, sub *rowsync.Subscriber, _ *pgxpool.Pool) error {
		return write(ctx, sub.Writer())
	}}
}

// bySQL is a way through a transaction of database/sql.
func bySQL(name string, write func(ctx context.Context, sub *rowsync.Subscriber, db *sql.DB) error) way {
	return way{name, func(ctx context.Context, sub *rowsync.Subscriber, pool *pgxpool.Pool) error {
		db := stdlib.OpenDBFromPool(pool)
		defer func() { _ = db.Close() }()
		return write(ctx, sub, db)
	}}
}

const rename = "update people set name = name || $1 where id = 1"

func ways() []way {
	return []way{
		byWriter("transaction", func(ctx context.Context, w *rowsync.Writer) error {
			return pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, rename, "a")
				return err
			})
		}),
		byWriter("transaction with options", func(ctx context.Context, w *rowsync.Writer) error {
			opts := pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadWrite, DeferrableMode: pgx.NotDeferrable}
			return pgx.BeginTxFunc(ctx, w, opts, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "set transaction isolation level repeatable read"); err != nil {
					return err
				}
				var level string
				if err := tx.QueryRow(ctx, "show transaction_isolation").Scan(&level); err != nil || level != "repeatable read" {
					return fmt.Errorf("level %q, %w", level, err)
				}
				_, err := tx.Exec(ctx, rename, "b")
				return err
			})
		}),
		byWriter("savepoint", func(ctx context.Context, w *rowsync.Writer) error {
			return pgx.BeginFunc(ctx, w, func(tx pgx.Tx) error {
				inner, err := tx.Begin(ctx)
				if err == nil {
					_, err = inner.Exec(ctx, rename, "lost")
				}
				if err != nil {
					return err
				}
				if err := inner.Rollback(ctx); err != nil {
					return err
				}
				return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, rename, "c")
					return err
				})
			})
		}),
		byWriter("Exec", func(ctx context.Context, w *rowsync.Writer) error {
			tag, err := w.Exec(ctx, rename, "d")
			return errors.Join(err, only(tag.RowsAffected(), 1))
		}),
		byWriter("Exec with names", func(ctx context.Context, w *rowsync.Writer) error {
			tag, err := w.Exec(ctx, "update people set name = @name where id = @id -- said", pgx.NamedArgs{"id": 1, "name": "e"})
			return errors.Join(err, only(tag.RowsAffected(), 1))
		}),
		byWriter("Exec of several", func(ctx context.Context, w *rowsync.Writer) error {
			tag, err := w.Exec(ctx, "update people set name = 'f' where id = 1; insert into people (name) values ('g'), ('h')")
			return errors.Join(err, only(tag.RowsAffected(), 2))
		}),
		byWriter("Exec with a mode", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, rename, pgx.QueryExecModeSimpleProtocol, "i")
			return err
		}),
		byWriter("Query", func(ctx context.Context, w *rowsync.Writer) error {
			rows, err := w.Query(ctx, "update people set name = $1 where id <= 2 returning id", "j")
			if err != nil {
				return err
			}
			ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			slices.Sort(ids)
			return errors.Join(err, only(fmt.Sprint(ids), "[1 2]"), only(rows.CommandTag().String(), "UPDATE 2"))
		}),
		byWriter("Query closed early, with a mode", func(ctx context.Context, w *rowsync.Writer) error {
			rows, err := w.Query(ctx, "update people set name = $1 returning id", pgx.QueryExecModeExec, "k")
			if err != nil {
				return err
			}
			rows.Next()
			rows.Close()
			return rows.Err()
		}),
		byWriter("QueryRow", func(ctx context.Context, w *rowsync.Writer) error {
			var id int64
			return w.QueryRow(ctx, "insert into people (name) values ($1) returning id", "l").Scan(&id)
		}),
		byWriter("QueryRow without rows", func(ctx context.Context, w *rowsync.Writer) error {
			var id int64
			err := w.QueryRow(ctx, "with u as (update people set name = $1 where id = 1) select 1 where false", "m").Scan(&id)
			if !errors.Is(err, pgx.ErrNoRows) {
				return fmt.Errorf("got %w, want no rows", err)
			}
			return nil
		}),
		byWriter("batch", func(ctx context.Context, w *rowsync.Writer) error {
			b := &pgx.Batch{}
			var name string
			b.Queue(rename, "n")
			b.Queue("select name from people where id = 2").QueryRow(func(row pgx.Row) error { return row.Scan(&name) })
			b.Queue("insert into people (name) values ($1)", "o")
			br := w.SendBatch(ctx, b)
			tag, err := br.Exec()
			return errors.Join(err, only(tag.String(), "UPDATE 1"), br.Close(), only(name != "", true), only(b.Len(), 3))
		}),
		byWriter("CopyFrom", func(ctx context.Context, w *rowsync.Writer) error {
			n, err := w.CopyFrom(ctx, pgx.Identifier{"people"}, []string{"name"}, pgx.CopyFromRows([][]any{{"p"}, {"q"}}))
			return errors.Join(err, only(n, 2))
		}),
		byWriter("many rows", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, "insert into people (name) select 'many ' || i from generate_series(1, 500) i")
			return err
		}),
		byWriter("cascade", func(ctx context.Context, w *rowsync.Writer) error {
			_, err := w.Exec(ctx, `insert into people (name) values ('r'); insert into posts (title, author_id) select 's', max(id) from people;
				delete from people where id = (select max(id) from people)`)
			return err
		}),
		{"Mark", func(ctx context.Context, sub *rowsync.Subscriber, db *pgxpool.Pool) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				if err := sub.Mark(ctx, tx); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, rename, "t")
				return err
			})
		}},
		{"Mark of a connection in a transaction", func(ctx context.Context, sub *rowsync.Subscriber, db *pgxpool.Pool) error {
			return db.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
				_, beginErr := c.Exec(ctx, "begin")
				markErr := sub.Mark(ctx, c)
				_, writeErr := c.Exec(ctx, rename, "u")
				_, commitErr := c.Exec(ctx, "commit")
				return errors.Join(beginErr, markErr, writeErr, commitErr)
			})
		}},
		{"raw SQL", func(ctx context.Context, sub *rowsync.Subscriber, db *pgxpool.Pool) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "select set_config('rowsync.origin', $1, true)", sub.Origin()); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "update people set name = name || '.'")
				return err
			})
		}},
		bySQL("MarkSQL", func(ctx context.Context, sub *rowsync.Subscriber, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			markErr := sub.MarkSQL(ctx, tx)
			_, writeErr := tx.ExecContext(ctx, rename, "v")
			return errors.Join(markErr, writeErr, tx.Commit())
		}),
		bySQL("MarkSQL of a connection in a transaction", func(ctx context.Context, sub *rowsync.Subscriber, db *sql.DB) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			_, beginErr := c.ExecContext(ctx, "begin")
			markErr := sub.MarkSQL(ctx, c)
			_, writeErr := c.ExecContext(ctx, rename, "w")
			_, commitErr := c.ExecContext(ctx, "commit")
			return errors.Join(beginErr, markErr, writeErr, commitErr, c.Close())
		}),
	}
}

// only returns an error unless what came is what was expected.
func only[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

// nodes are Subscribers that follow people: two of one Client, and two of
// another, which is a node of its own.
type nodes struct {
	*database
	here    *rowsync.Client
	sub     *rowsync.Subscriber // who writes
	beside  *rowsync.Subscriber // another of the same Client
	node    *rowsync.Subscriber // on another node
	another *rowsync.Subscriber // on another node, with the tag of sub
}

func openNodes(t *testing.T, configure func(*pgxpool.Config)) *nodes {
	t.Helper()
	config, err := pgxpool.ParseConfig(pgtemp.Shared(t).Database(t, worldSQL+"insert into people (name) values ('ada'), ('bob')"))
	if err != nil {
		t.Fatal(err)
	}
	plain := openPool(t.Context(), t, config.ConnString())
	configure(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w := &nodes{database: &database{pool, t}}
	follow := func(c *rowsync.Client, opts ...rowsync.SubscriberOption) *rowsync.Subscriber {
		sub := c.NewSubscriber(t.Context(), opts...)
		if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp), rowsync.On[Post](rowsync.AnyOp), rowsync.On[Tag](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	open := func(db *pgxpool.Pool) *rowsync.Client {
		c, err := rowsync.Open(t.Context(), db, &rowsync.Options{
			Watchers: []rowsync.Watcher{rowsync.WatchModel[Person](), rowsync.WatchModel[Post](), rowsync.WatchModel[Tag]()},
			Source:   pgtrigger.New(plain, nil), // which takes no connection of the pool that is written to
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	there := open(plain)
	w.here = open(pool)
	w.sub, w.beside = follow(w.here), follow(w.here)
	w.node, w.another = follow(there), follow(there, rowsync.Origin(w.sub.Origin()))
	return w
}

// told returns what a Subscriber is told up to the mark, which a tag is.
func (w *nodes) told(sub *rowsync.Subscriber) (events []rowsync.Event) {
	w.t.Helper()
	for {
		ev := next(w.t, sub)
		if ev.Reset == nil && ev.Table.Name == "tags" {
			if !sub.ShouldUpdate(ev) {
				w.t.Errorf("the mark, which nobody marked, is taken for an echo: origin %q", ev.Origin)
			}
			return events
		}
		events = append(events, ev)
	}
}

// judge fails unless everything up to here is own writes of sub: echoes to it
// and to its like on another node, and news to all others.
func (w *nodes) judge() {
	w.t.Helper()
	w.exec("insert into tags values ('mark', ''); delete from tags")
	for name, sub := range map[string]*rowsync.Subscriber{"writer": w.sub, "one beside it": w.beside, "another node": w.node, "the writer's like on another node": w.another} {
		events := w.told(sub)
		next(w.t, sub) // the end of the mark
		if len(events) == 0 {
			w.t.Errorf("%s was told nothing", name)
		}
		for _, ev := range events {
			if got, want := sub.ShouldUpdate(ev), sub == w.beside || sub == w.node; got != want {
				w.t.Fatalf("ShouldUpdate of %s, origin %q, says %v to %s", ev, ev.Origin, got, name)
			}
		}
	}
}

// unmarked fails if a connection of the pool is marked still, or was not given
// back.
func (w *nodes) unmarked() {
	w.t.Helper()
	if n := w.Stat().AcquiredConns(); n > 0 {
		w.t.Errorf("%d connections were not given back", n)
	}
	for _, c := range w.AcquireAllIdle(w.t.Context()) {
		var left string
		if err := c.QueryRow(w.t.Context(), "select coalesce(current_setting('rowsync.origin', true), '')").Scan(&left); err != nil || left != "" {
			w.t.Errorf("the next user of the connection has the mark %q, %v", left, err)
		}
		c.Release()
	}
}
