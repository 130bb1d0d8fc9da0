// Command rowsync shows and looks after what rowsync does with a database.
//
//	rowsync watch       tail the changes of tables
//	rowsync triggers    list, print, verify and remove what captures changes
//	rowsync demo        a value staying in step with a database that others write to
//	rowsync version     say which version this is
//
// Each subcommand says with -h what it takes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/demo"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/triggers"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/watch"
)

// program is all that there is.
var program = cli.Command{Commands: []cli.Command{watch.Command, triggers.Command, demo.Command, version}}

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		ends = append(ends, syscall.SIGHUP) // the terminal was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], cli.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: term.IsTerminal(int(os.Stdin.Fd())), OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
	}))
}

// run runs the subcommand that args name and returns the exit status.
func run(ctx context.Context, args []string, std cli.Streams) int {
	return cli.Run(ctx, &program, args, std)
}
