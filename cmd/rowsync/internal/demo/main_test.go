package demo

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain shows that nothing of the demo outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
