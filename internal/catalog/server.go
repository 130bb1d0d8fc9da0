package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Server is what a Client must know of the server and the database it is on.
type Server struct {
	Database string
	// MaxIdentifier is how many bytes of a name the server keeps, 63 unless it
	// was built otherwise.
	MaxIdentifier int
}

// LoadServer asks for them.
func LoadServer(ctx context.Context, db Querier) (Server, error) {
	var s Server
	rows, err := db.Query(ctx, "select current_database(), current_setting('max_identifier_length')::int")
	if err == nil {
		s, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Server, error) {
			err := row.Scan(&s.Database, &s.MaxIdentifier)
			return s, err
		})
	}
	if err != nil {
		return s, fmt.Errorf("read server settings: %w", err)
	}
	return s, nil
}
