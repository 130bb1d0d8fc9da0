package triggers

import (
	"context"
	"errors"
	"flag"
	"io"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
	"github.com/rowsync/rowsync/pgtrigger"
)

const aboutSQL = `Prints the statements that install the capture of tables: a migration, for where
the application's own role may not install. The database is read, for the
columns' types, and not altered; the statements may be run again and again.

The flags must say what the program's watchers say: --columns what they need
beside the key (ExtraColumns, and the columns of associations), --changed their
TriggerColumns. A program prints its own exact script with rowsync.SQL, which
takes the same options as rowsync.Open.`

// capturing is what decides what is installed beside the tables themselves:
// the options of package pgtrigger that go into the triggers.
type capturing struct {
	base

	tables  tables.Flags
	options pgtrigger.Options
}

func (c *capturing) register(flags *flag.FlagSet) {
	c.base.register(flags)
	c.tables.Register(flags)
	flags.BoolVar(&c.options.NoBell, "no-bell", false, "as pgtrigger.Options.NoBell: triggers never call NOTIFY")
	flags.BoolVar(&c.options.Always, "always", false, "as pgtrigger.Options.Always: triggers fire for logical replication too")
	flags.IntVar(&c.options.MaxRows, "max-rows", 0, "as pgtrigger.Options.MaxRows: capture `n` rows of a statement one by one;\n0: as many as a program does")
}

func runSQL(ctx context.Context, args []string, std cli.Streams) error {
	var c capturing
	flags := flag.NewFlagSet("triggers sql", flag.ContinueOnError)
	c.register(flags)
	flags.DurationVar(&c.options.LockTimeout, "lock-timeout", time.Second, "let the statements wait for a table's lock for this `time`, in whole seconds")
	if err := errors.Join(cli.Parse(flags, args, std, aboutSQL), c.check()); err != nil {
		return err
	}
	list, err := c.tables.Tables()
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return cli.Usagef("no table is named: give at least one --table")
	case c.options.MaxRows < 0:
		return cli.Usagef("--max-rows is %d: give at least 1, or leave it out", c.options.MaxRows)
	case c.options.LockTimeout < time.Second:
		return cli.Usagef("--lock-timeout is %s: give at least 1s", c.options.LockTimeout)
	}
	pool, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	found, err := tables.Find(ctx, pool, list, false)
	if err != nil {
		return err
	}
	script, err := c.source(pool).SQL(ctx, found.Captured)
	if err != nil {
		return err
	}
	_, err = io.WriteString(std.Out, script)
	return err
}
