package pgtrigger

import (
	"context"
	"fmt"
)

// fingerprint returns a text that changes when anything changes in the catalog
// on which the capture of these tables depends: one statement, cheap enough to
// be run every few seconds. It may also change for other reasons.
func (r *reader) fingerprint(ctx context.Context) (string, error) {
	n := r.src.names.namespace
	spaces, tables := []string{n, n}, []string{"journal", "state"}
	var functions []string
	for _, d := range r.defs.all {
		spaces, tables = append(spaces, d.table.Schema), append(tables, d.table.Name)
		functions = append(functions, d.functionName())
	}
	sql, err := render("fingerprint.sql", nil)
	if err != nil {
		return "", err
	}
	var text string
	if err := r.ses.conn.QueryRow(ctx, sql, spaces, tables, n, functions, r.src.opts.MaxJournal).Scan(&text); err != nil {
		return "", fmt.Errorf("look at the catalog: %w", err)
	}
	return text, nil
}
