package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// gardener is one of the connections that write. A transaction of it may stay
// open while others write.
type gardener struct {
	name  string
	conn  *pgx.Conn
	open  bool // in a transaction
	saved bool // with a savepoint
	log   *[]string
}

// lockTimeout is how long a statement waits for the transaction of another
// writer, which waits for nobody but this same goroutine.
const lockTimeout = 5 * time.Millisecond

func newGardener(ctx context.Context, url, name string, log *[]string) (*gardener, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	g := &gardener{name: name, conn: conn, log: log}
	_, err = conn.Exec(ctx, fmt.Sprintf("set lock_timeout = %d", lockTimeout.Milliseconds()))
	return g, err
}

// run runs statements that cannot fail.
func (g *gardener) run(ctx context.Context, sql string) error {
	*g.log = append(*g.log, g.name+": "+sql)
	_, err := g.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// try runs a statement that may fail because of the rows that are there.
func (g *gardener) try(ctx context.Context, sql string) error {
	guarded := sql
	if g.open {
		guarded = "savepoint guard; " + sql + "; release savepoint guard"
	}
	results, err := g.conn.PgConn().Exec(ctx, guarded).ReadAll()
	*g.log = append(*g.log, g.name+": "+sql+cameOf(results, err))
	if err == nil {
		return nil
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || !mayFail(refused.Code) {
		return fmt.Errorf("%s: %w", sql, err)
	}
	if g.open {
		_, err = g.conn.PgConn().Exec(ctx, "rollback to savepoint guard").ReadAll()
		return err
	}
	return nil
}

// cameOf says what came of a statement, for the log.
func cameOf(results []*pgconn.Result, err error) string {
	if err != nil {
		return " -- failed: " + err.Error()
	}
	for _, r := range results {
		if tag := r.CommandTag; tag.Insert() || tag.Update() || tag.Delete() {
			return fmt.Sprintf(" -- %d", tag.RowsAffected())
		}
	}
	return ""
}

// mayFail reports whether an error is one of the rows or of transactions that
// meet: see https://www.postgresql.org/docs/current/errcodes-appendix.html.
func mayFail(code string) bool {
	return strings.HasPrefix(code, "23") || strings.HasPrefix(code, "40") || slices.Contains([]string{"27000", "55P03"}, code)
}

// turn begins a transaction, or ends the one that is open. It says whether
// something was committed.
func (g *gardener) turn(ctx context.Context, pick int) (committed bool, err error) {
	if !g.open {
		g.open, g.saved = true, false
		return false, g.run(ctx, "begin isolation level "+[...]string{"read committed", "read committed", "repeatable read"}[pick%3])
	}
	g.open = false
	if pick%4 == 0 {
		return false, g.run(ctx, "rollback")
	}
	return true, g.run(ctx, "commit")
}

// savepoint sets a savepoint in an open transaction, or goes back to the one
// that was set.
func (g *gardener) savepoint(ctx context.Context) error {
	if !g.open {
		return nil
	}
	if g.saved = !g.saved; g.saved {
		return g.run(ctx, "savepoint back")
	}
	return g.run(ctx, "rollback to savepoint back; release savepoint back")
}

// truncate empties a table and those that refer to it, at once, for whoever
// reads waits for the end of the transaction.
func (g *gardener) truncate(ctx context.Context, table string) (committed bool, err error) {
	if g.open {
		return false, nil
	}
	return true, g.try(ctx, "truncate "+table+" cascade")
}
