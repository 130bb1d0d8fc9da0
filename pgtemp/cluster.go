package pgtemp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// defaultPort names the socket of a server that does not listen on TCP.
const defaultPort = 5432

// startLimit is how long a server may take to start.
const startLimit = time.Minute

// StopMode is a way of stopping a server, by the names of pg_ctl stop.
type StopMode string

const (
	// Smart waits until all clients have gone.
	Smart StopMode = "smart"
	// Fast ends clients, rolls back what they were at, and writes everything out.
	Fast StopMode = "fast"
	// Immediate stops at once, like a crash: the next start recovers from the
	// write-ahead log, and unlogged tables are empty after it.
	Immediate StopMode = "immediate"
)

// initdb fills the data folder.
func (s *Server) initdb(ctx context.Context) error {
	args := []string{
		filepath.Join(s.bin.dir, "initdb"), "--pgdata=" + s.data, "--username=" + superuser,
		"--encoding=UTF8", "--no-locale", "--auth-local=trust",
	}
	if !s.opts.Durable {
		args = append(args, "--no-sync")
	}
	if s.opts.TCP {
		file := filepath.Join(s.run, "password")
		if err := s.writeFile(file, s.password); err != nil {
			return err
		}
		args = append(args, "--auth-host=scram-sha-256", "--pwfile="+file)
	} else {
		args = append(args, "--auth-host=reject")
	}
	var output bytes.Buffer
	p, err := startProcess(s.owner, s.run, &output, args...)
	if err != nil {
		return s.explainStart("initdb", err)
	}
	if err := p.awaitEnd(ctx); err != nil {
		return fmt.Errorf("initdb: %w", errors.Join(err, p.kill()))
	}
	if err := p.reap(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, &output)
	}
	return nil
}

// explainStart adds to an error of starting a program what commonly causes it.
func (s *Server) explainStart(program string, err error) error {
	if s.owner != nil && errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("run %s as user %s, because PostgreSQL refuses to run as root: %w", program, s.owner.name, err)
	}
	return fmt.Errorf("run %s: %w", program, err)
}

// configure writes postgresql.conf, all of it: PostgreSQL's own sample only
// repeats the defaults.
func (s *Server) configure() error {
	settings := map[string]string{
		"listen_addresses":          "",
		"port":                      strconv.Itoa(s.port),
		"unix_socket_directories":   s.run,
		"max_connections":           "300",
		"max_prepared_transactions": "64",
		"wal_level":                 "logical",
		"max_replication_slots":     "64",
		"max_wal_senders":           "64",
		"log_line_prefix":           "%m [%p] %d ",
		"log_checkpoints":           "off",
		// In files below the data folder, which go with it; segments in
		// /dev/shm would outlive a server that is killed.
		"dynamic_shared_memory_type": "mmap",
	}
	if s.opts.TCP {
		settings["listen_addresses"] = "127.0.0.1"
	}
	if !s.opts.Durable {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
		settings["max_wal_size"] = "512MB" // it is kept in memory
	}
	maps.Copy(settings, s.opts.Config)

	var conf strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, quote.Replace(settings[name]))
	}
	return s.writeFile(filepath.Join(s.data, "postgresql.conf"), conf.String())
}

// writeFile writes a file that the server can read and others can't.
func (s *Server) writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	if s.owner == nil {
		return nil
	}
	return os.Chown(path, int(s.owner.uid), int(s.owner.gid))
}

// Halt stops the server and keeps its data; connections break. A server that
// is halted already stays so. It returns when the server has ended, or with
// the context's error when ctx ends first; the server goes on ending then.
func (s *Server) Halt(ctx context.Context, mode StopMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halt(ctx, mode)
}

func (s *Server) halt(ctx context.Context, mode StopMode) error {
	sig, ok := stopSignals[mode]
	if !ok {
		return fmt.Errorf("halt PostgreSQL: mode %q is none of %q, %q, %q", mode, Smart, Fast, Immediate)
	}
	if s.process == nil {
		return nil
	}
	if err := s.process.signal(sig); err != nil {
		return fmt.Errorf("halt PostgreSQL: %w", err)
	}
	if err := s.process.awaitEnd(ctx); err != nil {
		return fmt.Errorf("halt PostgreSQL: %w", err)
	}
	err := s.process.reap()
	s.process = nil
	if err != nil && mode != Immediate {
		return fmt.Errorf("halt PostgreSQL: %w\n%s", err, s.logTail())
	}
	return nil
}

// Resume starts the server after [Server.Halt], with the same data, the same
// URLs and the same options. It returns when the server takes connections.
// Nothing happens when it is running.
func (s *Server) Resume(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resume(ctx)
}

// Restart is [Server.Halt], then [Server.Resume].
func (s *Server) Restart(ctx context.Context, mode StopMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.halt(ctx, mode); err != nil {
		return err
	}
	return s.resume(ctx)
}

func (s *Server) resume(ctx context.Context) error {
	if s.stopped {
		return fmt.Errorf("start PostgreSQL: %w", errStopped)
	}
	if s.process != nil {
		if !s.process.ended(0) {
			return nil
		}
		_ = s.process.reap() // it ended by itself; its log says why
		s.process = nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready after %s", startLimit))
	defer cancel()

	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer log.Close()
	p, err := startProcess(s.owner, s.run, log, filepath.Join(s.bin.dir, "postgres"), "-D", s.data)
	if err != nil {
		return s.explainStart("postgres", err)
	}
	if err := s.awaitReady(ctx, p); err != nil {
		return fmt.Errorf("start PostgreSQL: %w\n%s", err, s.logTail())
	}
	s.process = p
	return nil
}

// awaitReady waits until the server takes connections. When it returns an
// error, the server has ended.
func (s *Server) awaitReady(ctx context.Context, p *process) error {
	for !s.ready(p) {
		if p.ended(5 * time.Millisecond) {
			if err := p.reap(); err != nil {
				return err
			}
			return errors.New("the server ended while it was starting")
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), p.kill())
		}
	}
	return nil
}

// ready reads the server's state where pg_ctl does: in the last line of
// postmaster.pid, if that file is of this process and not of one before.
func (s *Server) ready(p *process) bool {
	content, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return false
	}
	const pidLine, statusLine = 0, 7
	lines := strings.Split(string(content), "\n")
	return len(lines) > statusLine &&
		strings.TrimSpace(lines[statusLine]) == "ready" &&
		lines[pidLine] == strconv.Itoa(p.pid())
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: %s has none", l.Addr())
	}
	return address.Port, nil
}

func portIsFree(ctx context.Context, port int) bool {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
