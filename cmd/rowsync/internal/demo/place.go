package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/pgtemp"
)

// place is the database that the demo runs in.
type place struct {
	url     string
	join    string // how to connect with psql
	version string
	remove  func() error
}

// cleanupLimit is how long removing the database may take.
const cleanupLimit = 15 * time.Second

// openPlace makes a database with the demo's tables: on the server at the URL,
// or on a throwaway one if that is "".
func openPlace(ctx context.Context, databaseURL string, log *slog.Logger) (*place, error) {
	open := throwaway
	if databaseURL != "" {
		open = borrowed
	}
	p, err := open(ctx, databaseURL, log)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

// throwaway starts a server for this run.
func throwaway(ctx context.Context, _ string, log *slog.Logger) (*place, error) {
	server, err := pgtemp.Start(ctx, &pgtemp.Options{
		Logger: log,
		// Writers that do as they like meet in deadlocks; they need not wait a
		// second each time.
		Config: map[string]string{"deadlock_timeout": "50ms"},
	})
	if err != nil {
		return nil, err
	}
	name, err := server.CreateDatabase(ctx, "")
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	at := server.URLFor(name)
	return &place{url: at, join: psqlSocket(at, server.BinDir()), remove: server.Stop}, nil
}

// psqlSocket returns the psql command for a URL whose host is a socket folder,
// which is shorter than the URL.
func psqlSocket(at, binDir string) string {
	c, err := pgx.ParseConfig(at)
	psql := findPsql(binDir)
	if err != nil || psql == "" {
		return at
	}
	return fmt.Sprintf("%s -h %s -p %d -U %s %s", psql, c.Host, c.Port, c.User, c.Database)
}

// findPsql returns how to call psql, or "".
func findPsql(binDir string) string {
	if _, err := exec.LookPath("psql"); err == nil {
		return "psql"
	}
	program := filepath.Join(binDir, "psql")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	return ""
}

// borrowed makes a database of its own on a server that others use: whatever
// is in their databases is not touched.
func borrowed(ctx context.Context, serverURL string, _ *slog.Logger) (*place, error) {
	name := "rowsync_demo_" + strings.ToLower(rand.Text()[:8])
	at, join, err := forDatabase(serverURL, name)
	if err != nil {
		return nil, err
	}
	if err := onServer(ctx, serverURL, "create database "+name); err != nil {
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "42501" {
			return nil, fmt.Errorf("create database %s: %w; name a role that may create databases, or leave out --database-url", name, err)
		}
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	return &place{url: at, join: join, remove: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupLimit)
		defer cancel()
		if err := onServer(ctx, serverURL, "drop database if exists "+name+" with (force)"); err != nil {
			return fmt.Errorf("drop database %s, which the demo made and which is no longer needed: %w", name, err)
		}
		return nil
	}}, nil
}

// forDatabase returns the URL of another database of the server, and the psql
// command for it, which leaves out the password: psql asks.
func forDatabase(serverURL, name string) (at, join string, err error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return "", "", errors.New("malformed database URL")
	}
	query := u.Query()
	query.Del("dbname")
	query.Del("database")
	u.Path, u.RawQuery = "/"+name, query.Encode()
	at = u.String()

	query.Del("password")
	for key := range query {
		if strings.HasPrefix(key, "pool_") {
			query.Del(key)
		}
	}
	u.RawQuery = query.Encode()
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return at, "psql '" + u.String() + "'", nil
}

func onServer(ctx context.Context, at, sql string) error {
	conn, err := connect(ctx, at, "rowsync demo")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// prepare creates the tables and fills them.
func (p *place) prepare(ctx context.Context) error {
	conn, err := connect(ctx, p.url, "rowsync demo")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, schemaSQL+seedSQL); err != nil {
		return fmt.Errorf("create the demo's tables: %w", err)
	}
	if err := conn.QueryRow(ctx, "show server_version").Scan(&p.version); err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	return nil
}

// connect opens a connection that shows in pg_stat_activity under a name.
func connect(ctx context.Context, at, name string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(at)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = name
	return pgx.ConnectConfig(ctx, config)
}
