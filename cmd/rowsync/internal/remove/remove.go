// Package remove removes definitions of capture from a database.
package remove

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/pgtrigger"
)

// Definition removes a definition that nobody reads; it is fine if it is gone
// already. The error holds a [pgtrigger.InUseError] if somebody reads it.
func Definition(ctx context.Context, source *pgtrigger.Source, definition string) error {
	_, err := source.Remove(ctx, definition)
	if errors.Is(err, pgtrigger.ErrNotInstalled) {
		return nil
	}
	return err
}

// Refused reports whether the server has refused something to this role.
func Refused(err error) bool {
	const insufficientPrivilege = "42501"
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == insufficientPrivilege
}
