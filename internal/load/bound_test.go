package load

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rowsync/rowsync/internal/mapper"
)

// echo reads each key as itself.
func echo(_ context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
	out := map[mapper.Key]any{}
	for _, k := range keys {
		out[k] = k
	}
	return out, nil
}

// TestCacheSize: however much is read, of however many kinds, the cache keeps
// what its size allows, and nothing of the statements that have ended.
func TestCacheSize(t *testing.T) {
	const size = 100
	c, err := newCache(&Clock{}, size, time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for i := range 5_000 {
		s := subject{kind: "rows", of: i % 7}
		k := mapper.Key(fmt.Sprint(i))
		got, err := c.get(t.Context(), s, Wants([]mapper.Key{k, "missing" + k}, 0), echo)
		if err != nil || got[k].value != k {
			t.Fatalf("got %v, %v", got, err)
		}
		c.clock.Advance(1)
	}
	c.running.Wait()
	c.entries.CleanUp()
	if n := c.entries.EstimatedSize(); n == 0 || n > size {
		t.Errorf("%d entries are kept, want at most %d", n, size)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.groups) != 0 {
		t.Errorf("%d groups of statements are kept, and none runs", len(c.groups))
	}
}

// TestCacheTTL: what was read is not kept for longer than it may be.
func TestCacheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newReads(t)
		c.must(t, r, 0, "a")
		time.Sleep(59 * time.Minute) // of the bubble's clock
		if c.must(t, r, 0, "a"); r.count() != 1 {
			t.Errorf("%d reads, want the cache to have it still", r.count())
		}
		time.Sleep(2 * time.Minute)
		if c.must(t, r, 0, "a"); r.count() != 2 {
			t.Errorf("%d reads, want it to be read anew", r.count())
		}
	})
}
