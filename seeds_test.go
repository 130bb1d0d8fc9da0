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
// a failure prints.
//
// ROWSYNC_SOAK, such as 20m, goes on with new seeds for that long, all oracles
// at the same time; together with it, ROWSYNC_SEED says where the seeds begin.
func withSeeds(t *testing.T, fixed []uint64, oracle func(t *testing.T, seed uint64) (ops int)) {
	t.Helper()
	run := func(seed uint64) (ops int) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("replay with ROWSYNC_SEED=%d", seed)
			ops = oracle(t, seed)
		})
		return ops
	}
	seed, given := seedGiven(t)
	switch lasts := os.Getenv("ROWSYNC_SOAK"); {
	case lasts != "":
		soak, err := time.ParseDuration(lasts)
		if err != nil {
			t.Fatalf("ROWSYNC_SOAK: %v", err)
		}
		t.Parallel()
		from, ops, seeds := seed, 0, 0
		for end := time.Now().Add(soak); time.Now().Before(end) && !t.Failed(); seeds++ {
			ops += run(seed)
			seed++
		}
		t.Logf("soak: %d operations with the %d seeds from %d on", ops, seeds, from)
	case given:
		run(seed)
	default:
		for _, seed := range append(fixed, seed) {
			run(seed)
		}
	}
}

// seedGiven returns the seed of ROWSYNC_SEED, or a random one.
func seedGiven(t *testing.T) (seed uint64, given bool) {
	t.Helper()
	s := os.Getenv("ROWSYNC_SEED")
	if s == "" {
		return rand.Uint64() >> 1, false // more can follow
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("ROWSYNC_SEED: %v", err)
	}
	return seed, true
}
