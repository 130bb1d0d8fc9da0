package rowsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// withSeeds runs an oracle, which returns the number of its operations, with
// the fixed seeds and a random one. ROWSYNC_SEED replays one seed instead, which
// a failure prints; ROWSYNC_SOAK, such as 20m, goes on with new seeds for that long.
func withSeeds(t *testing.T, fixed []uint64, oracle func(t *testing.T, seed uint64) (ops int)) {
	t.Helper()
	run := func(seed uint64) (ops int) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("replay with ROWSYNC_SEED=%d", seed)
			ops = oracle(t, seed)
		})
		return ops
	}
	if s := os.Getenv("ROWSYNC_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("ROWSYNC_SEED: %v", err)
		}
		run(seed)
		return
	}
	if s := os.Getenv("ROWSYNC_SOAK"); s != "" {
		soak, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("ROWSYNC_SOAK: %v", err)
		}
		ops, seeds := 0, 0
		for end := time.Now().Add(soak); time.Now().Before(end) && !t.Failed(); seeds++ {
			ops += run(rand.Uint64())
		}
		t.Logf("soak: %d operations with %d seeds", ops, seeds)
		return
	}
	for _, seed := range append(fixed, rand.Uint64()) {
		run(seed)
	}
}
