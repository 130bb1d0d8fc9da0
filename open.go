package rowsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/pgtrigger"
)

// Open begins to capture what opts.Watchers name and returns when capture runs:
// every change that is committed after Open has returned is heard. opts may be
// nil, which watches nothing.
//
// All mistakes in opts, in the models and in what the database has of them come
// back together, before anything is installed in the database. What the Source
// installs there is described in package pgtrigger.
//
// ctx bounds only the start. The Client runs until [Client.Close]; close it
// before the pool.
func Open(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Client, error) {
	if pool == nil {
		return nil, errors.New("open rowsync: no pool: pass a *pgxpool.Pool of the database")
	}
	c, err := prepare(ctx, pool, opts, true)
	if err != nil {
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	if err := c.start(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("open rowsync: %w", err)
	}
	c.logStart()
	return c, nil
}

// prepare makes a Client that does not run yet. It returns all that is wrong
// with the options, joined; with runs also what would keep the Source from
// running.
func prepare(ctx context.Context, pool *pgxpool.Pool, opts *Options, runs bool) (*Client, error) {
	o, optionsErr := opts.withDefaults()
	source := o.Source
	if source == nil {
		source = pgtrigger.New(pool, &pgtrigger.Options{Logger: o.Logger})
	}
	plan, watchersErr := draw(o.Watchers, o.Models)
	plan.unread = !runs
	c := &Client{
		opts: o, pool: pool, log: o.Logger, source: source, clock: &load.Clock{},
		reloads: make(chan struct{}, o.Reloads),
		started: make(chan struct{}), done: make(chan struct{}),
		subscribers: map[*Subscriber]struct{}{},
	}
	var schemaErr, sourceErr error
	c.schema, schemaErr = plan.bind(ctx, pool, c.clock, load.Options{
		CacheSize: o.CacheSize, CacheTTL: o.CacheTTL, Timeout: o.LoadTimeout,
	})
	if checker, ok := source.(capture.Checker); ok && runs && c.schema != nil {
		sourceErr = checker.Check(ctx, c.schema.captured())
	}
	if err := errors.Join(optionsErr, watchersErr, schemaErr, sourceErr); err != nil {
		if c.schema != nil && c.schema.loader != nil {
			c.schema.loader.Close()
		}
		return nil, err
	}
	c.schema.findDebugged(c.log)
	return c, nil
}

// SQL returns the statements that install what [Open] with these options would,
// for a role that may run them when the application's own may not: a migration.
// With a Source that prints none, it is an error. The database is read and not
// altered. Errors are those of Open, except that the pool's role needs no
// privileges beyond looking at the catalog.
func SQL(ctx context.Context, pool *pgxpool.Pool, opts *Options) (string, error) {
	if pool == nil {
		return "", errors.New("print SQL: no pool: pass a *pgxpool.Pool of the database")
	}
	c, err := prepare(ctx, pool, opts, false)
	if err != nil {
		return "", fmt.Errorf("print SQL: %w", err)
	}
	defer c.schema.loader.Close()
	scripter, ok := c.source.(capture.Scripter)
	if !ok {
		return "", fmt.Errorf("print SQL: a Source of type %T installs nothing by SQL", c.source)
	}
	return scripter.SQL(ctx, c.schema.captured())
}
