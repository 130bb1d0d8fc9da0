package pgtrigger

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/internal/catalog"
)

// ServerInfo tells what the SQL for a server depends on. Its methods may be
// called from any goroutine.
type ServerInfo interface {
	// Major returns the major version, 13 or later.
	Major(ctx context.Context) (int, error)
	// MaxIdentifier returns how many bytes of a name the server keeps, 63 unless
	// it was built otherwise.
	MaxIdentifier(ctx context.Context) (int, error)
}

// oldestMajor is the oldest major version of PostgreSQL that there are tests for.
const oldestMajor = 13

// askServer is the ServerInfo that asks.
type askServer struct{ db catalog.Querier }

func (a askServer) Major(ctx context.Context) (int, error) {
	return a.ask(ctx, "select current_setting('server_version_num')::int / 10000")
}

func (a askServer) MaxIdentifier(ctx context.Context) (int, error) {
	return a.ask(ctx, "select current_setting('max_identifier_length')::int")
}

func (a askServer) ask(ctx context.Context, sql string) (int, error) {
	rows, err := a.db.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}

// server returns Options.Server, or else what asks db.
func (s *Source) server(db catalog.Querier) ServerInfo {
	if s.opts.Server != nil {
		return s.opts.Server
	}
	return askServer{db}
}

// major returns the server's major version.
func (s *Source) major(ctx context.Context, db catalog.Querier) (int, error) {
	major, err := s.server(db).Major(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for the server's version: %w", err)
	}
	return major, nil
}

// checkServer says which options don't suit the server, or that it is too old.
func (s *Source) checkServer(ctx context.Context, db catalog.Querier) error {
	major, err := s.major(ctx, db)
	if err != nil {
		return err
	}
	if major < oldestMajor {
		return fmt.Errorf("pgtrigger: the server is PostgreSQL %d, which is too old: capture needs %d or later", major, oldestMajor)
	}
	longest, err := s.server(db).MaxIdentifier(ctx)
	if err != nil {
		return fmt.Errorf("ask how long names may be: %w", err)
	}
	if over := len(s.names.namespace) - longest; over > 0 {
		return fmt.Errorf("pgtrigger: option Namespace: %q is %d bytes longer than the %d that a schema's name may have",
			s.names.namespace, over, longest)
	}
	return nil
}
