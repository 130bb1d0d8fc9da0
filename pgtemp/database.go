package pgtemp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// databases remembers what was created on a server.
type databases struct {
	mu        sync.Mutex
	count     int
	templates map[string]*template
}

// template is a database that others are cloned from.
type template struct {
	name  string
	mu    sync.Mutex
	ready bool
}

// CreateDatabase creates a database with a name of its own as a copy of the
// database template, to which nobody may be connected meanwhile; "" is an empty
// one. It returns the name, for [Server.URLFor].
func (s *Server) CreateDatabase(ctx context.Context, template string) (string, error) {
	s.databases.mu.Lock()
	s.databases.count++
	name := "db" + strconv.Itoa(s.databases.count)
	s.databases.mu.Unlock()
	if template == "" {
		template = "template1"
	}
	if err := s.clone(ctx, name, template); err != nil {
		return "", err
	}
	return name, nil
}

// clone creates the database name as a copy of template.
func (s *Server) clone(ctx context.Context, name, template string) error {
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		sql := "create database " + quoteName(name) + " template " + quoteName(template)
		if s.Major() >= 15 && !s.opts.Durable {
			// The default, wal_log, avoids two checkpoints, which cost next to
			// nothing in memory: 10 ms against 16.
			sql += " strategy file_copy"
		}
		_, err := conn.Exec(ctx, sql)
		return err
	})
	if err != nil {
		return fmt.Errorf("create database %s as a copy of %s: %w", name, template, err)
	}
	return nil
}

// DropDatabase drops a database even when it is in use: connections to it are
// ended, prepared transactions rolled back, and replication slots dropped. One
// that does not exist is fine.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		for attempt := 0; ; attempt++ {
			_, err := conn.Exec(ctx, "drop database if exists "+quoteName(name)+" with (force)")
			if !isInUse(err) || attempt == 10 {
				return err
			}
			if err := s.release(ctx, conn, name); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func isInUse(err error) bool {
	const objectInUse = "55006"
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == objectInUse
}

// release ends what DROP DATABASE … WITH (FORCE) does not.
func (s *Server) release(ctx context.Context, conn *pgx.Conn, name string) error {
	const endSlotHolders = `
		select pg_terminate_backend(active_pid) from pg_replication_slots
		where database = $1 and active_pid is not null`
	if _, err := conn.Exec(ctx, endSlotHolders, name); err != nil {
		return err
	}
	rows, _ := conn.Query(ctx, `select gid from pg_prepared_xacts where database = $1`, name)
	prepared, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(prepared) == 0 {
		return err
	}
	return s.connected(ctx, name, func(conn *pgx.Conn) error {
		for _, gid := range prepared {
			if _, err := conn.Exec(ctx, "rollback prepared "+quoteText(gid)); err != nil {
				return err
			}
		}
		return nil
	})
}

// template returns the name of a template database that the setup has been
// applied to. The first caller makes it, others meanwhile wait.
func (s *Server) template(ctx context.Context, setup []string) (string, error) {
	if len(setup) == 0 {
		return "", nil
	}
	t := s.databases.template(setup)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ready {
		return t.name, nil
	}
	if err := s.makeTemplate(ctx, t.name, setup); err != nil {
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
		defer cancel()
		return "", errors.Join(err, s.DropDatabase(drop, t.name))
	}
	t.ready = true
	return t.name, nil
}

func (d *databases) template(setup []string) *template {
	hash := sha256.Sum256([]byte(strings.Join(setup, "\x00"))) // SQL has no zero bytes
	name := "template_" + hex.EncodeToString(hash[:8])

	d.mu.Lock()
	defer d.mu.Unlock()
	if d.templates == nil {
		d.templates = make(map[string]*template)
	}
	if d.templates[name] == nil {
		d.templates[name] = &template{name: name}
	}
	return d.templates[name]
}

func (s *Server) makeTemplate(ctx context.Context, name string, setup []string) error {
	if err := s.clone(ctx, name, "template1"); err != nil {
		return err
	}
	err := s.connected(ctx, name, func(conn *pgx.Conn) error {
		for _, sql := range setup {
			if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				return setupError(sql, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.admin(ctx, func(conn *pgx.Conn) error { return awaitUnused(ctx, conn, name) })
}

// setupError names the place of a mistake in the setup.
func setupError(sql string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Position > 0 && int(pg.Position) <= len([]rune(sql)) {
		before := string([]rune(sql)[:pg.Position-1])
		return fmt.Errorf("apply setup, line %d: %w", 1+strings.Count(before, "\n"), err)
	}
	return fmt.Errorf("apply setup: %w", err)
}

// awaitUnused waits until nobody is connected to a database: a backend goes on
// for a moment after its client has left, and CREATE DATABASE looks again only
// every 100 ms.
func awaitUnused(ctx context.Context, conn *pgx.Conn, name string) error {
	const used = `select exists (select from pg_stat_activity where datname = $1 and backend_type = 'client backend')`
	for {
		var busy bool
		if err := conn.QueryRow(ctx, used, name).Scan(&busy); err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// admin calls f with a connection to the database postgres.
func (s *Server) admin(ctx context.Context, f func(*pgx.Conn) error) error {
	return s.connected(ctx, "postgres", f)
}

// connected calls f with a connection of its own.
func (s *Server) connected(ctx context.Context, database string, f func(*pgx.Conn) error) error {
	config, err := pgx.ParseConfig(s.URLFor(database))
	if err != nil {
		return err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing is run often enough to be prepared
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	err = f(conn)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, conn.Close(closing))
}

func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// randomName returns 26 letters and digits that nobody can guess.
func randomName() string { return rand.Text() }
