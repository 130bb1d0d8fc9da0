// Package connect finds the database that a subcommand works on.
package connect

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// Flags is how the arguments say which database is meant.
type Flags struct {
	url   string
	given bool
}

// Register adds the flag --database-url.
func (f *Flags) Register(flags *flag.FlagSet) {
	flags.Func("database-url", "connect to the database at this `url`; without it, to that of the environment\nvariable DATABASE_URL, else to that of PGHOST, PGUSER, PGDATABASE and so on",
		func(text string) error {
			f.url, f.given = text, true
			return nil
		})
}

// variable is the environment variable that is used without the flag.
const variable = "DATABASE_URL"

// Config returns how to connect, under an application name. Its errors do not
// repeat passwords.
func (f *Flags) Config(application string) (*pgxpool.Config, error) {
	text, source := f.url, "--database-url"
	if !f.given {
		text, source = os.Getenv(variable), "environment variable "+variable
		if text == "" {
			source = "environment variables PG…"
		}
	}
	if f.given && text == "" {
		return nil, cli.Usagef("--database-url is empty: give one such as postgres://user@host:5432/database, or leave it out for %s", variable)
	}
	config, err := parse(text)
	if err != nil {
		return nil, cli.Usagef("%s: %w", source, err)
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = application
	}
	return config, nil
}

func parse(text string) (*pgxpool.Config, error) {
	const example = "give one such as postgres://user@host:5432/database"
	isURL := strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
	switch {
	case isURL:
		if _, err := url.Parse(text); err != nil {
			return nil, errors.New("malformed: " + example) // err would repeat it
		}
	case text != "" && !strings.Contains(text, "="):
		return nil, errors.New("not the URL of a PostgreSQL server: " + example)
	}
	return pgxpool.ParseConfig(text)
}

// Place is where a subcommand is connected to.
type Place struct {
	Database, Role, Host, Version string
}

// String names the place in one line.
func (p *Place) String() string {
	return fmt.Sprintf("database %q on %s as role %q, PostgreSQL %s", p.Database, p.Host, p.Role, p.Version)
}

// Open connects, and says where to. The pool is to be closed by the caller.
func Open(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, *Place, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	p := &Place{Host: host(config.ConnConfig)}
	err = pool.QueryRow(ctx, "select current_database(), current_user, current_setting('server_version')").
		Scan(&p.Database, &p.Role, &p.Version)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	p.Version, _, _ = strings.Cut(p.Version, " ")
	return pool, p, nil
}

// host names the server: its host, or the folder of its socket.
func host(c *pgx.ConnConfig) string {
	if strings.HasPrefix(c.Host, "/") {
		return c.Host
	}
	return fmt.Sprintf("%s:%d", c.Host, c.Port)
}
