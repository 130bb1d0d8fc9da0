//go:build unix

package pgtemp

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a running initdb or postgres.
//
// Nothing waits for it in the background: it costs no goroutine, which a leak
// detector in the user's tests would find.
type process struct {
	cmd *exec.Cmd
	// alive is the reading end of a pipe that the process and its children
	// hold: it ends when the last of them has ended.
	alive *os.File
}

// noteAndExec notes its process id in the file $0 before it becomes the
// command, so that no server ever runs whose process id the watchdog can't find.
const noteAndExec = `echo $$ >"$0" && exec "$@"`

// startProcess starts a command as owner, in a session of its own so that a
// Ctrl-C meant for this program does not reach it.
func startProcess(owner *account, run string, output io.Writer, command ...string) (*process, error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, err
	}
	alive, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer held.Close()
	cmd := &exec.Cmd{
		Path:        shell,
		Args:        append([]string{"sh", "-c", noteAndExec, filepath.Join(run, "pid")}, command...),
		Dir:         run,
		Env:         serverEnvironment(os.Environ()),
		Stdout:      output,
		Stderr:      output,
		ExtraFiles:  []*os.File{held},
		SysProcAttr: owner.sysProcAttr(),
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, alive.Close())
	}
	return &process{cmd: cmd, alive: alive}, nil
}

// serverEnvironment is the environment without what would change the server's
// behaviour: PGDATA, PGPORT, the locale and the like.
func serverEnvironment(environ []string) []string {
	env := []string{"LC_ALL=C"}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "LANG") || name == "TZ" {
			continue
		}
		env = append(env, entry)
	}
	return env
}

// ended waits for at most d and reports whether the process and its children
// have ended.
func (p *process) ended(d time.Duration) bool {
	if err := p.alive.SetReadDeadline(time.Now().Add(d)); err != nil {
		return true
	}
	_, err := p.alive.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// awaitEnd waits until the process and its children have ended.
func (p *process) awaitEnd(ctx context.Context) error {
	for !p.ended(50 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pid is the id of the process.
func (p *process) pid() int { return p.cmd.Process.Pid }

// reap collects a process that has ended, and returns how it did.
func (p *process) reap() error {
	return errors.Join(p.cmd.Wait(), p.alive.Close())
}

// signal sends a signal to the process; one that has ended meanwhile is fine.
func (p *process) signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// kill ends the process at once, with its children.
func (p *process) kill() error {
	err := p.signal(syscall.SIGQUIT)
	if !p.ended(10 * time.Second) {
		// It leads a group of its own; a child may have outlived it.
		if e := syscall.Kill(-p.pid(), syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	_ = p.reap() // reports the signal just sent
	return err
}

// stopSignals are what postgres understands by the modes of pg_ctl stop.
var stopSignals = map[StopMode]os.Signal{
	Smart:     syscall.SIGTERM,
	Fast:      syscall.SIGINT,
	Immediate: syscall.SIGQUIT,
}

// watchdog is a process that removes the server when this one has ended.
type watchdog struct {
	cmd   *exec.Cmd
	leash *os.File // closed by the end of this process, if not before
}

//go:embed watchdog.sh
var watchdogScript string

func startWatchdog(run, data string) (*watchdog, error) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	stdin, leash, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	defer stdin.Close()
	cmd := &exec.Cmd{
		Path:        shell,
		Args:        []string{"sh", "-c", watchdogScript, "pgtemp-watchdog", run, data},
		Dir:         "/",
		Stdin:       stdin,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start watchdog: %w", err), leash.Close())
	}
	return &watchdog{cmd: cmd, leash: leash}, nil
}

// release lets the watchdog do its work now and waits for it. server is the
// running server, if any.
func (w *watchdog) release(server *process) error {
	err := errors.Join(w.leash.Close(), w.cmd.Wait())
	if server != nil {
		err = errors.Join(err, server.kill()) // dead already, unless the watchdog was killed
	}
	return err
}

// sysProcAttr makes a process a session of its own, as the account.
func (a *account) sysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}
