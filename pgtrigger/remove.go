package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInstalled says that a definition is not there, or no more.
var ErrNotInstalled = errors.New("not installed")

// InUseError says that a definition was not removed because somebody reads it.
type InUseError struct {
	Installed Installed
}

// Error names the definition and its readers.
func (e *InUseError) Error() string {
	if len(e.Installed.Readers) == 0 { // they have just gone, or come to remove it too
		return fmt.Sprintf("%s is in use", &e.Installed)
	}
	return fmt.Sprintf("%s is read by %s", &e.Installed, joinReaders(e.Installed.Readers))
}

func joinReaders(readers []Reader) string {
	texts := make([]string, len(readers))
	for i, r := range readers {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}

// Remove removes definitions of the namespace, triggers and function, each in a
// transaction of its own. Those that somebody reads stay; the error then holds
// an [InUseError] for each, and [ErrNotInstalled] for each that is not there.
// Dropping a trigger takes a lock on its table, which
// is waited for as creating one is, see Options.LockTimeout.
//
// A program that has lost its connection reads nothing at that moment: what it
// finds missing when it comes back, it installs again, and tells its Sink of a
// Reset.
func (s *Source) Remove(ctx context.Context, definitions ...string) (removed []string, err error) {
	if s.err != nil {
		return nil, s.err
	}
	var errs []error
	for _, hash := range definitions {
		if err := s.remove(ctx, hash); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, hash)
	}
	return removed, errors.Join(errs...)
}

func (s *Source) remove(ctx context.Context, hash string) error {
	id, err := parseDefinition(hash)
	if err != nil {
		return err
	}
	return s.retryLocks(ctx, s.pool, job{doing: "remove definition " + hash, do: func(tx pgx.Tx) error {
		var free bool
		err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1, $2)", s.names.Class, claimKey(id)).Scan(&free)
		if err != nil {
			return err
		}
		list, err := s.installed(ctx, tx, "capture!_"+hash)
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return fmt.Errorf("%w: the schema %s has none of that name", ErrNotInstalled, s.names.Schema)
		case !free:
			return &InUseError{list[0]}
		}
		return dropDefinition(ctx, tx, &list[0])
	}})
}

// dropDefinition drops the triggers, then the function: without CASCADE, so
// that it fails rather than take along what rowsync did not make.
//
// DROP TRIGGER is for the owner of the table, while the privilege TRIGGER is
// enough to create one (https://www.postgresql.org/docs/current/sql-droptrigger.html).
// So a role that has installed a definition on the table of another drops the
// function, which is its own, and the triggers with it.
func dropDefinition(ctx context.Context, tx pgx.Tx, i *Installed) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		for _, t := range i.Triggers {
			if _, err := tx.Exec(ctx, "drop trigger if exists "+ident(t.Name)+" on "+ident(t.Schema, t.Table)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "drop function if exists "+i.Function+"()")
		return err
	})
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != insufficientPrivilege {
		return err
	}
	var strange bool // whether there are triggers of other names
	if err := tx.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_trigger t where t.tgfoid = $1::text::regprocedure and t.tgname not like $2 escape '!')`,
		i.Function+"()", "rowsync!_"+i.Definition+"!_%").Scan(&strange); err != nil {
		return err
	}
	if strange {
		return err
	}
	if _, cascadeErr := tx.Exec(ctx, "drop function if exists "+i.Function+"() cascade"); cascadeErr != nil {
		if errors.As(cascadeErr, &refused) && refused.Code == insufficientPrivilege {
			return err // says which table it is about
		}
		return cascadeErr
	}
	return nil
}

// Drop removes all that the namespace has in the database: its definitions, the
// journal and the schema. If somebody reads any of it, nothing is removed but
// the definitions that nobody reads, and the error holds an [InUseError] for
// each of the others. What others have put into the schema stays, and the
// schema with it.
func (s *Source) Drop(ctx context.Context) error {
	list, err := s.Installed(ctx)
	if err != nil {
		return err
	}
	var hashes []string
	for _, i := range list {
		hashes = append(hashes, i.Definition)
	}
	if _, err := s.Remove(ctx, hashes...); err != nil {
		return err
	}
	return s.retryLocks(ctx, s.pool, job{doing: "drop schema " + s.names.Schema, do: func(tx pgx.Tx) error {
		var ours bool
		err := tx.QueryRow(ctx, `
			select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace s on s.oid = c.relnamespace
				where s.nspname = $1 and c.relname in ('journal', 'state') and obj_description(c.oid, 'pg_class') like '{"rowsync":%')`,
			s.names.namespace).Scan(&ours)
		if err != nil || !ours {
			return err
		}
		// Whoever came since the definitions were removed holds no lock on the
		// journal yet, but has one of its own.
		if again, err := s.installed(ctx, tx, "capture!_%"); err != nil || len(again) > 0 {
			for i := range again {
				err = errors.Join(err, &InUseError{again[i]})
			}
			return err
		}
		return execScript(ctx, tx, fmt.Sprintf("drop table if exists %s, %s; drop schema %s", s.names.Journal, s.names.State, s.names.Schema))
	}})
}
