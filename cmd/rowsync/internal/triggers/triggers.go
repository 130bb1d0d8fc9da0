// Package triggers is the group of subcommands that look after what captures
// changes in a database: its trigger functions, triggers and journal.
package triggers

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/connect"
	"github.com/rowsync/rowsync/pgtrigger"
)

// Command is the group.
var Command = cli.Command{
	Name: "triggers", Summary: "list, print, verify and remove what captures changes",
	Commands: []cli.Command{
		{Name: "list", Summary: "what is installed, and who reads it", Run: runList},
		{Name: "sql", Summary: "print the statements that install it: a migration", Run: runSQL},
		{Name: "verify", Summary: "what is missing or disabled", Run: runVerify},
		{Name: "clean", Summary: "remove what nobody reads", Run: runClean},
	},
}

// namespace is where programs install unless their options say otherwise.
const namespace = "rowsync"

// base is what all of the subcommands take.
type base struct {
	database  connect.Flags
	namespace string
}

func (b *base) register(flags *flag.FlagSet) {
	b.database.Register(flags)
	flags.StringVar(&b.namespace, "namespace", namespace, "the schema in which it is installed, by `name`")
}

func (b *base) check() error { return cli.CheckNamespace(b.namespace) }

// open connects to the database. The pool is to be closed by the caller.
func (b *base) open(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := b.database.Config("rowsync triggers")
	if err != nil {
		return nil, err
	}
	pool, _, err := connect.Open(ctx, config)
	return pool, err
}

// silent is for Sources whose errors say all that there is to say.
var silent = slog.New(slog.DiscardHandler)

// source returns what knows of a namespace.
func source(pool *pgxpool.Pool, namespace string) *pgtrigger.Source {
	return pgtrigger.New(pool, &pgtrigger.Options{Namespace: namespace, Logger: silent})
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// linef prints a line of words.
func linef(w io.Writer, format string, args ...any) { cli.Printf(w, format+"\n", args...) }
