// Package watch is the subcommand watch: the changes of tables, line by line.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/connect"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
	"github.com/rowsync/rowsync/pgtrigger"
)

// Command is the subcommand.
var Command = cli.Command{Name: "watch", Summary: "tail the changes of tables", Run: Run}

// Run prints changes until ctx ends, the time or the number that the flags set
// is reached, or nobody reads std.Out any more.
func Run(ctx context.Context, args []string, std cli.Streams) error {
	o, err := parse(args, std)
	if err != nil {
		return err
	}
	config, err := o.database.Config("rowsync watch")
	if err != nil {
		return err
	}
	// A closed pipe must be an error of a write: its signal would end the
	// program before it has removed its triggers.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	w := &watch{opts: o, std: std, notes: newNotes(std, o)}
	config.ConnConfig.AfterConnect = w.mine.add
	if w.pool, w.place, err = connect.Open(ctx, config); err != nil {
		return ended(ctx, err)
	}
	defer w.pool.Close()
	w.notes.sayf("connected to %s", w.place)
	return ended(ctx, w.run(ctx))
}

// ended returns nil for an error that only says that ctx has ended: that is how
// the command is ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// watch is a run of the command.
type watch struct {
	opts   options
	std    cli.Streams
	notes  *notes
	pool   *pgxpool.Pool
	place  *connect.Place
	mine   backends
	tables *tables.Watched
	source *pgtrigger.Source
}

func (w *watch) run(ctx context.Context) (err error) {
	if w.tables, err = tables.Find(ctx, w.pool, w.opts.tables, true); err != nil {
		return err
	}
	log := slog.New(w.notes)
	w.source = pgtrigger.New(w.pool, &pgtrigger.Options{Namespace: w.opts.namespace, Logger: log})
	found, err := w.look(ctx)
	if err != nil {
		return err
	}
	client, err := rowsync.Open(ctx, w.pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{w.tables.Watchers}, Source: w.source, Logger: log, Buffer: buffer,
	})
	if err != nil {
		return w.explain(ctx, errors.Join(err, w.leave(ctx, found, nil)))
	}
	sub := client.NewSubscriber(ctx)
	if err = sub.SubscribeTo(w.tables.Targets...); err == nil {
		w.notes.sayf("watching %s", sayTables(w.opts))
		err = w.print(ctx, client, sub)
	}
	details := client.Watchers()
	client.Close()
	return errors.Join(err, w.leave(ctx, found, details))
}

// buffer is how many events may wait to be printed; past it they become a RESET.
// One statement may make hundreds of thousands at once.
const buffer = 1_000_000

// print prints what the subscriber is told until it is time to end.
func (w *watch) print(ctx context.Context, client *rowsync.Client, sub *rowsync.Subscriber) error {
	outer := ctx
	if w.opts.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.opts.limit, errDone)
		defer cancel()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-client.Done():
			cancel(fmt.Errorf("capture ended: %w", client.Err()))
		case <-ctx.Done():
		}
	}()
	out := newOutput(w.std.Out, cancel)
	err := w.follow(ctx, sub, out)
	if errors.Is(err, errDone) || outer.Err() != nil {
		err = nil
	}
	return errors.Join(err, out.close(ctx))
}

// errDone ends printing when all that was asked for has been printed.
var errDone = errors.New("done")

func (w *watch) follow(ctx context.Context, sub *rowsync.Subscriber, out *output) error {
	format := w.formatter()
	left := w.opts.count
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			return err
		}
		if err := out.print(ctx, format.line(ev)); err != nil {
			return err
		}
		if ev.Reset == nil {
			if left--; left == 0 {
				return errDone
			}
		}
	}
	return nil
}

// formatter makes lines of events.
type formatter interface{ line(ev rowsync.Event) string }

func (w *watch) formatter() formatter {
	if w.opts.json {
		return newJSONLines(w.tables.Shown)
	}
	color := w.std.OutTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return newTextLines(w.tables.Shown, w.opts.verbose, color)
}
