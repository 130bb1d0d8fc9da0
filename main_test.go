package rowsync_test

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the tests if they leave goroutines behind. What the Client
// logs is shown only where a test asks for it: ROWSYNC_LOG=1.
func TestMain(m *testing.M) {
	if os.Getenv("ROWSYNC_LOG") == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
	goleak.VerifyTestMain(m)
}
