//go:build unix

package pgtemp_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain shows that a server, the shared one too, costs no goroutine. In a
// child process it is the program whose end a test watches.
func TestMain(m *testing.M) {
	if act := os.Getenv(envAct); act != "" {
		runAct(act)
		return
	}
	goleak.VerifyTestMain(m)
}
