package rowsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/internal/load"
)

// Scope is a view of the database that differs from that of the pool's role, by
// row-level security for example: of one tenant, or of a role.
type Scope struct {
	// Name says which scope it is, such as "tenant 42": what was read in one is
	// never shown in another. Two Scopes with one name are one, so the name must
	// say everything that Enter depends on.
	Name string
	// Enter makes a transaction one of the scope: it is called at the beginning
	// of each one that reads rows, such as with
	//
	//	set local role reader
	//	select set_config('app.tenant', '42', true)
	//
	// The transaction is read-only and is rolled back at its end. Enter may be
	// called from any goroutine, also on behalf of others with the same scope; an
	// error of it is an error of the load.
	Enter func(ctx context.Context, tx pgx.Tx) error
}

// InScope makes a Subscriber or a Live read in a scope: a row that cannot be
// seen there is as good as deleted, see [Authorize]. Of several, the last counts.
//
// Changes are captured outside of any scope. An event is told if its row, as it
// is now, can be read in the scope. Of the row as it was before, and so of a
// deletion, only the key is told, for nobody can know whether it could be seen
// then. What SubscribeTo follows of a table that no model has is not told at all,
// unless [Authorize] says so.
//
// The load functions of [Load] and [Follow] run outside the scope: see [Scope.Read].
func InScope(s Scope) AccessOption { return scopeOption(s) }

type scopeOption Scope

func (o scopeOption) subscriber(c *subscriberConfig) { s := Scope(o); c.scope = &s }
func (o scopeOption) live(c *liveConfig)             { o.subscriber(&c.subscriberConfig) }

// Read calls read with a transaction that has entered the scope, for load
// functions of the caller's own. The transaction is read-only and ends with read,
// whose error is returned.
func (s Scope) Read(ctx context.Context, pool *pgxpool.Pool, read func(tx pgx.Tx) error) error {
	tx, err := load.Begin(ctx, pool, s.enter)
	if err != nil {
		return fmt.Errorf("read in scope %q: %w", s.Name, err)
	}
	defer load.Rollback(ctx, tx)
	return read(tx)
}

// enter is Enter of a scope that may lack it.
func (s Scope) enter(ctx context.Context, tx pgx.Tx) error {
	if err := s.valid(); err != nil {
		return err
	}
	return s.Enter(ctx, tx)
}

func (s Scope) valid() error {
	switch {
	case s.Name == "":
		return errors.New("a Scope has no Name: give each its own, for what is read is kept by it")
	case s.Enter == nil:
		return fmt.Errorf("scope %q has no Enter: say how a transaction enters it", s.Name)
	}
	return nil
}

// valid returns what is wrong with the options.
func (c subscriberConfig) valid() error {
	if c.scope == nil {
		return nil
	}
	return c.scope.valid()
}

// loaderFor returns what reads rows with these options.
func (c *Client) loaderFor(cfg subscriberConfig) *load.Loader {
	if cfg.scope == nil {
		return c.schema.loader
	}
	return c.schema.loader.In("scope "+cfg.scope.Name, cfg.scope.enter)
}
