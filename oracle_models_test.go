package rowsync_test

import (
	"flag"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/rowsync/rowsync/pgtemp"
)

// TestOracleModels holds the one invariant, that a synced value equals a fresh
// load, over everything that can be drawn at random: models with associations
// of all kinds to each other, conditions, orders and keys; values of every
// shape over any paths, in a Live, by hand, several at once; statements of
// several connections in transactions that overlap; readers that are killed,
// events that come twice or late, buffers and a cache that are too small. What
// a value must be, plain SQL says; see verdicts. And no value that was handed
// out may change.
//
// A case that fails is made as small as it still fails, and kept in testdata:
// all that is kept there is tried first. See withSeeds for how to replay a seed
// and how to run for long; the flags of package rapid work too.
func TestOracleModels(t *testing.T) { withSeeds(t, []uint64{1}, oracleModels) }

// modelCases is how many cases are made of one seed, unless -rapid.checks says
// so and not 100, which is rapid's default.
const modelCases = "15"

// oracleModels runs the cases of one seed and returns the number of steps.
func oracleModels(t *testing.T, seed uint64) int {
	t.Helper()
	setFlag(t, "rapid.seed", strconv.FormatUint(max(seed, 1), 10)) // 0 means any
	if flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue {
		setFlag(t, "rapid.checks", modelCases)
	}
	c := &cases{server: pgtemp.Shared(t), drawn: drawCase()}
	defer func() {
		if t.Failed() && c.first != "" {
			t.Log("the case that failed first:\n" + c.first)
		}
	}()
	rapid.Check(oneName{t}, c.run)
	t.Logf("%d steps, %d comparisons of values", c.steps, c.compared)
	return c.steps
}

// oneName is a test that keeps its failing cases in one place, whatever its seed.
type oneName struct{ *testing.T }

// Name implements rapid.TB.
func (oneName) Name() string { return "TestOracleModels" }

// setFlag sets a flag for the time of a test.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	was := f.Value.String()
	t.Cleanup(func() { _ = f.Value.Set(was) })
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
}
