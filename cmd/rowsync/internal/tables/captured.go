package tables

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
)

// captured returns what a Client with these watchers has its Source capture. It
// asks rowsync itself, so that what is printed, verified and installed is always
// the same.
func captured(ctx context.Context, pool *pgxpool.Pool, watchers rowsync.Watchers) ([]*rowsync.Table, error) {
	if len(watchers) == 0 {
		return nil, nil
	}
	var l listener
	_, err := rowsync.SQL(ctx, pool, &rowsync.Options{Watchers: watchers, Source: &l})
	if inner := errors.Unwrap(err); inner != nil {
		err = inner // without "print SQL", which nobody asked for
	}
	return l.tables, err
}

// listener is a Source that only listens to which tables it is to capture.
type listener struct{ tables []*rowsync.Table }

// Run implements [rowsync.Source].
func (*listener) Run(context.Context, []*rowsync.Table, rowsync.Sink) error {
	return errors.New("this source captures nothing")
}

// SQL implements capture.Scripter.
func (l *listener) SQL(_ context.Context, tables []*rowsync.Table) (string, error) {
	l.tables = tables
	return "", nil
}
