// Package demo is the subcommand demo: a Live value over a database that
// several writers change at random.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/term"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// Command is the subcommand.
var Command = cli.Command{
	Name: "demo", Summary: "a value staying in step with a database that others write to", Run: Run,
}

// Run runs the demo until its time is over or ctx ends. It shows what is held
// if std.Out is a terminal, and else prints a line per second; with --json it
// prints one JSON object at the end. At the end it compares what is held with
// a fresh load and returns [cli.ErrFailed] if they are not equal.
func Run(ctx context.Context, args []string, std cli.Streams) error {
	o, err := parse(args, std)
	if err != nil {
		return err
	}
	v, logs := chooseView(o, std)
	log := slog.New(slog.NewTextHandler(logs, logOptions(o, v)))

	d, err := start(ctx, o, log)
	if err != nil {
		return err
	}
	result, err := d.run(ctx, v)
	if err := errors.Join(err, d.close()); err != nil {
		return err
	}
	return result.report(std.Out, o.json)
}

// view shows the demo while it runs.
type view interface {
	// open and close come before the first update and after the last.
	open(d *demo)
	close()
	// update shows the state, every interval.
	update(d *demo, g *gauge)
	interval() time.Duration
}

// chooseView returns how to show the demo, and where its log goes.
func chooseView(o options, std cli.Streams) (view, io.Writer) {
	if o.json {
		return silent{}, std.Err
	}
	if f, ok := std.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		logs := &tail{limit: 3, keep: 10 * time.Second}
		return &screen{out: f, size: func() (int, int, error) { return term.GetSize(int(f.Fd())) }, logs: logs}, logs
	}
	return &lines{out: std.Out}, std.Err
}

func logOptions(o options, v view) *slog.HandlerOptions {
	level := slog.LevelWarn
	_, drawn := v.(*screen)
	switch {
	case o.verbose:
		level = slog.LevelDebug
	case drawn:
		level = slog.LevelInfo
	}
	return &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if drawn && len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{} // there is no room for what can be seen
		}
		return a
	}}
}

// demo is a run of it.
type demo struct {
	opts    options
	place   *place
	pool    *pgxpool.Pool
	client  *rowsync.Client
	live    *rowsync.Live[[]*Post]
	meter   *meter
	writers *writers
	chaos   *chaos
	began   time.Time
	loaded  rowsync.Stats // what the first load took
}

// start makes the database, opens the Live, and sets the writers on.
func start(ctx context.Context, o options, log *slog.Logger) (d *demo, err error) {
	d = &demo{opts: o, meter: newMeter()}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.place, err = openPlace(ctx, o.databaseURL, log); err != nil {
		return d, err
	}
	config, err := pgxpool.ParseConfig(d.place.url)
	if err != nil {
		return d, err
	}
	config.ConnConfig.RuntimeParams["application_name"] = "rowsync demo pool"
	if d.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return d, err
	}
	d.client, err = rowsync.Open(ctx, d.pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Tags", "Author"))},
		Logger:   log,
		Tracer:   d.meter,
	})
	if err != nil {
		return d, err
	}
	d.live, err = rowsync.Query[Post](ctx, d.client, rowsync.Select{
		OrderBy: "id desc",
		With:    []string{"Tags", "Author"},
	})
	if err != nil {
		return d, err
	}
	d.loaded = d.client.Stats()
	d.began = time.Now()
	d.writers = startWriters(ctx, d.place, d.meter, o, log)
	if o.chaos {
		d.chaos = startChaos(ctx, d.place, log)
	}
	return d, nil
}

// run shows the demo until its time is over, ctx ends or capture does, then
// stops the writers and compares.
func (d *demo) run(ctx context.Context, v view) (*result, error) {
	until := ctx
	if d.opts.limit > 0 {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadline(ctx, d.began.Add(d.opts.limit))
		defer cancel()
	}
	d.show(until, v)
	took := time.Since(d.began)
	d.chaos.end()
	d.writers.end()
	select {
	case <-d.client.Done():
		return nil, fmt.Errorf("capture ended: %w", d.client.Err())
	default:
	}
	difference, err := d.settle(context.WithoutCancel(ctx), settleLimit)
	if err != nil {
		return nil, err
	}
	return d.result(took, difference), nil
}

// show updates the view until ctx ends or capture does.
func (d *demo) show(ctx context.Context, v view) {
	v.open(d)
	defer v.close()
	g := newGauge(d.reading())
	tick := time.NewTicker(v.interval())
	defer tick.Stop()
	for {
		v.update(d, g)
		select {
		case <-tick.C:
			g.add(d.reading())
		case <-ctx.Done():
			return
		case <-d.client.Done():
			return
		}
	}
}

const (
	// settleLimit is how long the held value may take to become equal to the
	// database once the writers have stopped.
	settleLimit = 15 * time.Second
	// settleCheck is how long there is between two looks.
	settleCheck = 50 * time.Millisecond
	// settleTwice is how many looks in turn must find it equal: nothing that
	// is still under way may make it wrong again.
	settleTwice = 3
)

// settle waits until the held value equals a fresh load and returns "", or
// what is different when the time for that is over.
func (d *demo) settle(ctx context.Context, limit time.Duration) (difference string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := connect(ctx, d.place.url, "rowsync demo check")
	if err != nil {
		return "", fmt.Errorf("compare with a fresh load: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	difference = "there was no time to compare"
	for equal := 0; ; {
		fresh, err := freshPosts(ctx, conn)
		switch {
		case ctx.Err() != nil:
			return difference, nil
		case err != nil:
			return "", err
		}
		if difference = differences(d.live.Value(), fresh); difference == "" {
			equal++
		} else {
			equal = 0
		}
		if equal == settleTwice {
			return "", nil
		}
		select {
		case <-time.After(settleCheck):
		case <-ctx.Done():
			return difference, nil
		}
	}
}

// close ends what start began and removes the database. Parts that were never
// begun are nil.
func (d *demo) close() error {
	d.chaos.end()
	if d.writers != nil {
		d.writers.end()
	}
	if d.live != nil {
		d.live.Close()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.pool != nil {
		d.pool.Close()
	}
	if d.place != nil {
		return d.place.remove()
	}
	return nil
}
