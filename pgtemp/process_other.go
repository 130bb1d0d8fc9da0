//go:build !unix

package pgtemp

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// On systems without unix sockets and signals, Start fails in startWatchdog;
// the rest is here for the package to compile.

var errSystem = errors.New("pgtemp runs PostgreSQL on Unix systems only; on this one, give tests a database by hand")

type process struct{}

func startProcess(*account, string, io.Writer, ...string) (*process, error) { return nil, errSystem }

func (*process) ended(time.Duration) bool       { return true }
func (*process) pid() int                       { return 0 }
func (*process) reap() error                    { return errSystem }
func (*process) awaitEnd(context.Context) error { return errSystem }
func (*process) signal(os.Signal) error         { return errSystem }
func (*process) kill() error                    { return errSystem }

var stopSignals map[StopMode]os.Signal

type watchdog struct{}

func startWatchdog(string, string) (*watchdog, error) { return nil, errSystem }

func (*watchdog) release(*process) error { return nil }
