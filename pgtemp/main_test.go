//go:build unix

package pgtemp_test

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain shows that a server, the shared one too, costs no goroutine. In a
// child process it is the program whose end a test watches.
func TestMain(m *testing.M) {
	if act := os.Getenv(envAct); act != "" {
		endWhenHungUp()
		runAct(act)
		return
	}
	goleak.VerifyTestMain(m)
}

// endWhenHungUp makes up for nohup: a process that was started with SIGHUP
// ignored would go on ignoring it.
func endWhenHungUp() {
	if !signal.Ignored(syscall.SIGHUP) {
		return
	}
	hungUp := make(chan os.Signal, 1)
	signal.Notify(hungUp, syscall.SIGHUP)
	go func() {
		<-hungUp
		os.Exit(1)
	}()
}
