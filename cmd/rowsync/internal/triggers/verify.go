package triggers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
	"github.com/rowsync/rowsync/pgtrigger"
)

const aboutVerify = `Verifies that what captures changes is installed and enabled. With --table, it
must be there for these tables, columns and operations, as rowsync triggers sql
with the same flags prints it; without, whatever the namespace has once installed
must still be whole. The exit status is 0 if it is so, and otherwise 1 with a list
of what is missing, disabled or altered.`

func runVerify(ctx context.Context, args []string, std cli.Streams) error {
	var c capturing
	flags := flag.NewFlagSet("triggers verify", flag.ContinueOnError)
	c.register(flags)
	if err := errors.Join(cli.Parse(flags, args, std, aboutVerify), c.check()); err != nil {
		return err
	}
	list, err := c.tables.Tables()
	if err != nil {
		return err
	}
	pool, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if len(list) == 0 {
		return verifyInstalled(ctx, pool, c.namespace, std)
	}
	found, err := tables.Find(ctx, pool, list, false)
	if err != nil {
		return err
	}
	if err := c.source(pool).Verify(ctx, found.Captured); err != nil {
		return fmt.Errorf("namespace %s: %w", c.namespace, err)
	}
	linef(std.Out, "All is there and enabled for %s.", plural(len(found.Captured), "table"))
	return nil
}

// source returns what installs with the options of the flags.
func (c *capturing) source(pool *pgxpool.Pool) *pgtrigger.Source {
	c.options.Namespace = c.namespace
	c.options.Logger = silent
	return pgtrigger.New(pool, &c.options)
}

// verifyInstalled looks whether what the comments of the functions say is there.
func verifyInstalled(ctx context.Context, pool *pgxpool.Pool, namespace string, std cli.Streams) error {
	list, err := source(pool, namespace).Installed(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		linef(std.Out, "Namespace %s: nothing is installed.", namespace)
		return nil
	}
	var wrong []string
	missing, err := missingTables(ctx, pool, namespace)
	if err != nil {
		return err
	}
	for _, name := range missing {
		wrong = append(wrong, fmt.Sprintf("%s.%s: the table is gone, and no change is captured", namespace, name))
	}
	for i := range list {
		wrong = append(wrong, faults(&list[i])...)
	}
	if len(wrong) == 0 {
		linef(std.Out, "Namespace %s: %s, all whole and enabled.", namespace, plural(len(list), "definition"))
		return nil
	}
	for _, text := range wrong {
		linef(std.Out, "%s", text)
	}
	return cli.ErrFailed
}

// missingTables returns which of the namespace's own tables are not there.
func missingTables(ctx context.Context, pool *pgxpool.Pool, namespace string) (missing []string, err error) {
	err = pool.QueryRow(ctx, `
		select array(select t from unnest(array['journal', 'state']) t where not exists (
			select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = t))`, namespace).Scan(&missing)
	if err != nil {
		return nil, fmt.Errorf("look for the tables of namespace %s: %w", namespace, err)
	}
	return missing, nil
}

// faults says what is wrong with a definition.
func faults(i *pgtrigger.Installed) (wrong []string) {
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s.%s: definition %s: "+format, append([]any{i.Schema, i.Table, i.Definition}, args...)...))
	}
	switch {
	case !i.TableExists:
		add("the table is gone, its trigger function is not")
		return wrong
	case len(i.Triggers) == 0:
		add("it has no triggers, only its function")
		return wrong
	}
	for _, op := range []rowsync.Op{rowsync.Inserted, rowsync.Updated, rowsync.Deleted, rowsync.Truncated} {
		captured := op == rowsync.Truncated || i.Ops.Has(op)
		if captured && !slices.ContainsFunc(i.Triggers, func(t pgtrigger.InstalledTrigger) bool { return strings.HasSuffix(t.Name, "_"+op.String()) }) {
			add("the trigger for %s is missing", op)
		}
	}
	for _, t := range i.Triggers {
		if !t.Enabled {
			add("the trigger %s is disabled", t.Name)
		}
	}
	return wrong
}
