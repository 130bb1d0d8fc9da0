package watch

import (
	"flag"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/connect"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
)

// options are what the flags say.
type options struct {
	database  connect.Flags
	tables    []*tables.Table
	namespace string
	json      bool
	limit     time.Duration // 0: until ctx ends
	count     uint64        // 0: any number
	keep      bool
	quiet     bool
	verbose   bool
}

// ownNamespace is where this command installs its triggers, so that they never
// meet those of an application.
const ownNamespace = "rowsync_watch"

const about = `Prints the changes of tables as they are committed, whoever makes them, until
Ctrl-C:

  rowsync watch --table users
  rowsync watch --table users --columns email --on update --changed email --table teams
  rowsync watch --table memberships --where-key 1,7 --where user_id=42 --json

A line is a change of one row: when, what, which row by its key, and its columns,
of an update those that changed, as old → new. Without --columns a table's lines
show every column; --columns '' leaves the key alone. RESET means that changes
may have been missed, of the table that it names or of all.

With --json a line is an object with time, op, schema, table, key, old, new,
origin, txid and position; op is insert, update, delete, or reset with a reason.
Values are PostgreSQL's text, or null. What would be empty is left out.

Triggers that capture the changes are installed in the schema rowsync_watch and
removed at the end. They cost the tables' writers something, most for wide rows
without --columns.`

func parse(args []string, std cli.Streams) (o options, err error) {
	var list tables.Flags
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	o.database.Register(flags)
	list.Register(flags)
	list.RegisterRows(flags)
	flags.StringVar(&o.namespace, "namespace", ownNamespace, "install in, and read from, the schema of this `name`")
	flags.BoolVar(&o.json, "json", false, "print one JSON object per line")
	flags.DurationVar(&o.limit, "for", 0, "end after this `time`, such as 10s")
	flags.Uint64Var(&o.count, "count", 0, "end after `n` changes")
	flags.BoolVar(&o.keep, "keep", false, "leave the triggers where they are at the end")
	flags.BoolVar(&o.quiet, "quiet", false, "print nothing but changes, resets and errors")
	flags.BoolVar(&o.verbose, "v", false, "print more: whole values, all columns, transactions, what is installed")
	if err := cli.Parse(flags, args, std, about); err != nil {
		return o, err
	}
	if o.tables, err = list.Tables(); err != nil {
		return o, err
	}
	switch {
	case len(o.tables) == 0:
		return o, cli.Usagef("no table is named: give at least one --table")
	case cli.IsSet(flags, "for") && o.limit <= 0:
		return o, cli.Usagef("--for is %s: give a time such as 10s", o.limit)
	case cli.IsSet(flags, "count") && o.count == 0:
		return o, cli.Usagef("--count is 0: give at least 1")
	case o.quiet && o.verbose:
		return o, cli.Usagef("--quiet and -v exclude each other")
	}
	return o, cli.CheckNamespace(o.namespace)
}
