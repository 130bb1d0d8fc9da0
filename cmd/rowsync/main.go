// Command rowsync shows and looks after what rowsync does with a database.
//
//	rowsync demo    a value staying in step with a database that others write to
//
// Each subcommand says with -h what it takes.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/demo"
)

// commands are the subcommands, in the order in which the help names them.
var commands = []cli.Command{demo.Command}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// run runs the subcommand that args name and returns the exit status.
func run(ctx context.Context, args []string, std cli.Streams) int {
	if len(args) == 0 {
		usage(std.Err)
		return cli.StatusUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(std.Out)
		return 0
	}
	for _, c := range commands {
		if c.Name == args[0] {
			return cli.Report(std.Err, c.Name, c.Run(ctx, args[1:], std))
		}
	}
	cli.Printf(std.Err, "rowsync: there is no subcommand %q\n\n", args[0])
	usage(std.Err)
	return cli.StatusUsage
}

func usage(w io.Writer) {
	cli.Printf(w, "Usage: rowsync <subcommand> [flags]\n\n")
	for _, c := range commands {
		cli.Printf(w, "  %-10s %s\n", c.Name, c.Summary)
	}
	cli.Printf(w, "\nrowsync <subcommand> -h lists its flags.\n")
}
