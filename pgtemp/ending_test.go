//go:build unix

package pgtemp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/pgtemp"
)

// envAct names what a child process is to do instead of running tests.
const envAct = "PGTEMP_TEST_ACT"

// runAct is the program of a child process: it starts a server, and what
// pgtemp logs goes to standard output for the parent to read.
func runAct(act string) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := pgtemp.Start(context.Background(), &pgtemp.Options{Logger: log})
	if err != nil {
		log.Error("failed", "error", err)
		os.Exit(1)
	}
	switch act {
	case "wait":
		select {} // until it is killed
	case "exit":
		os.Exit(0)
	case "panic":
		panic("as asked for")
	case "stop":
		if err := useAndStop(s); err != nil {
			log.Error("failed", "error", err)
			os.Exit(1)
		}
	}
}

func useAndStop(s *pgtemp.Server) error {
	name, err := s.CreateDatabase(context.Background(), "")
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(context.Background(), s.URLFor(name))
	if err != nil {
		return err
	}
	conn.Close(context.Background())
	return s.Stop()
}

// child is a process that started a server.
type child struct {
	cmd    *exec.Cmd
	output *bufio.Scanner
	log    strings.Builder
	socket string
	data   string
}

// startChild starts this test's program as another process, in a process group
// of its own as a shell does it, and returns when it is starting a server.
func startChild(t *testing.T, act string, change func(*exec.Cmd)) *child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(program)}
	c.cmd.Env = append(os.Environ(), envAct+"="+act)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if change != nil {
		change(c.cmd)
	}
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // ended already, unless the test failed
		_ = c.cmd.Wait()
	})
	c.output = bufio.NewScanner(output)
	c.await(t, "starting PostgreSQL")
	return c
}

// await reads the child's log up to a message.
func (c *child) await(t *testing.T, message string) {
	t.Helper()
	for c.output.Scan() {
		fmt.Fprintln(&c.log, c.output.Text())
		var line struct{ Msg, Socket, Data string }
		if err := json.Unmarshal(c.output.Bytes(), &line); err != nil {
			continue // not of the log
		}
		if line.Socket != "" {
			c.socket, c.data = line.Socket, line.Data
		}
		if line.Msg == message {
			return
		}
	}
	t.Fatalf("the child ended before %q:\n%s", message, &c.log)
}

// end waits for the child's end, and then until nothing of its server is left.
func (c *child) end(t *testing.T) error {
	t.Helper()
	for c.output.Scan() {
		fmt.Fprintln(&c.log, c.output.Text())
	}
	err := c.cmd.Wait()
	await(t, func() string { return leftOf(t, c.socket, c.data) })
	return err
}

// leftOf says what is left of a server, "" for nothing.
func leftOf(t *testing.T, socket, data string) string {
	t.Helper()
	for _, folder := range []string{socket, socket + ".gone", data} {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			return "folder " + folder
		}
	}
	for pid, command := range processes(t) {
		if strings.Contains(command, data) {
			return fmt.Sprintf("process %d: %s", pid, command)
		}
	}
	return ""
}

// await waits until nothing is pending.
func await(t *testing.T, pending func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		what := pending()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestEndsWithItsProcess(t *testing.T) {
	group := func(sig syscall.Signal) func(*child) error {
		return func(c *child) error { return syscall.Kill(-c.cmd.Process.Pid, sig) }
	}
	nothing := func(*child) error { return nil }
	for _, test := range []struct {
		name, act string
		do        func(*child) error
	}{
		{"exit", "exit", nothing},
		{"panic", "panic", nothing},
		{"killed", "wait", group(syscall.SIGKILL)},
		{"Ctrl-C", "wait", group(syscall.SIGINT)},
		{"terminated", "wait", group(syscall.SIGTERM)},
		{"hung up", "wait", group(syscall.SIGHUP)},
		{"quit", "wait", group(syscall.SIGQUIT)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := startChild(t, test.act, nil)
			c.await(t, "PostgreSQL takes connections")
			if err := test.do(c); err != nil {
				t.Fatal(err)
			}
			_ = c.end(t) // as it was told to
		})
	}
}

// The process may be killed at any moment of the start, initdb's included.
func TestKilledWhileStarting(t *testing.T) {
	for _, milliseconds := range []int{0, 1, 3, 10, 30, 100, 200, 300, 400, 500} {
		after := time.Duration(milliseconds) * time.Millisecond
		t.Run(after.String(), func(t *testing.T) {
			c := startChild(t, "wait", nil)
			time.Sleep(after) // the moment is what is tested
			if err := c.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = c.end(t) // killed
		})
	}
}

// A service manager that stops a whole group of processes asks the server and
// its watchdog too, at the same time.
func TestWatchdogOutlivesRequestsToEnd(t *testing.T) {
	c := startChild(t, "wait", nil)
	c.await(t, "PostgreSQL takes connections")
	watchdog := processNaming(t, "pgtemp-watchdog "+c.socket)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(watchdog, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.end(t) // by the signal
}

// processNaming returns the id of the process whose command line has a text.
func processNaming(t *testing.T, text string) int {
	t.Helper()
	for pid, command := range processes(t) {
		if strings.Contains(command, text) {
			return pid
		}
	}
	t.Fatalf("no process %q", text)
	return 0
}

// processes returns the command lines of all processes by their ids.
func processes(t *testing.T) map[int]string {
	t.Helper()
	commands := make(map[int]string)
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil { // else it has just ended
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			commands[pid] = strings.ReplaceAll(string(content), "\x00", " ")
		}
	}
	if len(files) > 0 {
		return commands
	}
	out, err := exec.CommandContext(t.Context(), "ps", "-A", "-ww", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	for line := range strings.Lines(string(out)) {
		// An argument with line ends, such as a script, makes several lines.
		if id, err := strconv.Atoi(strings.Fields(line + " -")[0]); err == nil {
			pid = id
		}
		commands[pid] += line
	}
	return commands
}

func TestStopWithoutWatchdog(t *testing.T) {
	s := start(t, nil)
	socket := filepath.Dir(s.LogFile())
	if err := syscall.Kill(processNaming(t, "pgtemp-watchdog "+socket), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err == nil {
		t.Error("nothing was said of the watchdog's death")
	}
	await(t, func() string { return leftOf(t, socket, s.DataDir()) })
}

func TestRunsAsOrdinaryUser(t *testing.T) {
	c := startChild(t, "stop", func(cmd *exec.Cmd) {
		if os.Geteuid() != 0 {
			return // as all other tests
		}
		cmd.Path = copyProgram(t, cmd.Path)
		cmd.Dir = "/"
		cmd.Env = append(cmd.Env, "HOME=/nonexistent", "ROWSYNC_PG_BINDIR="+pgtemp.Shared(t).BinDir())
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(nobody.Uid, 10, 32)
		gid, _ := strconv.ParseUint(nobody.Gid, 10, 32)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	})
	if err := c.end(t); err != nil {
		t.Errorf("%v\n%s", err, &c.log)
	}
}

// copyProgram copies this test's program to where anybody can run it.
func copyProgram(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(shortTemp(t), "pgtemp.test")
	if err := os.WriteFile(copied, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return copied
}

// shortTemp returns a temporary folder with a short name that all may enter.
func shortTemp(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "pgtt-") //nolint:usetesting // t.TempDir is too long for a socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	return folder
}

// killPostmaster kills the server's first process.
func killPostmaster(t *testing.T, s *pgtemp.Server) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.DataDir(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
