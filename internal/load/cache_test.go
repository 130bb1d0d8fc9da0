package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rowsync/rowsync/internal/mapper"
)

// reads is a table that is read with the time that it takes, and counts how.
type reads struct {
	mu      sync.Mutex
	batches [][]mapper.Key
	rows    map[mapper.Key]int
	err     error
	took    time.Duration
}

func (r *reads) fetch(ctx context.Context, keys []mapper.Key) (map[mapper.Key]any, error) {
	r.mu.Lock()
	keys = slices.Sorted(slices.Values(keys))
	r.batches = append(r.batches, keys)
	out := map[mapper.Key]any{}
	for _, k := range keys {
		if v, ok := r.rows[k]; ok {
			out[k] = v
		}
	}
	err := r.err
	r.mu.Unlock()
	select {
	case <-time.After(r.took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return out, err
}

func (r *reads) set(k mapper.Key, v int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[k] = v
}

func (r *reads) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.batches)
}

var things = subject{kind: "rows", of: "things"}

// newReads returns a cache and what it reads.
func newReads(t *testing.T) (*cache, *reads) {
	t.Helper()
	c, err := newCache(&Clock{}, 1000, time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, &reads{rows: map[mapper.Key]int{"a": 1, "b": 2}, took: time.Second}
}

func (c *cache) must(t *testing.T, r *reads, need uint64, keys ...mapper.Key) map[mapper.Key]found {
	t.Helper()
	got, err := c.get(t.Context(), things, Wants(keys, need), r.fetch)
	if err != nil {
		t.Error(err)
	}
	return got
}

// TestCachePositions: what was read is used for changes that had arrived before
// its read began, and for no later one; a Reset voids it.
func TestCachePositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newReads(t)
		c.clock.Advance(5)
		if got := c.must(t, r, 5, "a", "missing"); got["a"].value != 1 || got["a"].pos != 5 || got["missing"].value != nil {
			t.Errorf("got %v", got)
		}
		r.set("a", 10)
		if got := c.must(t, r, 5, "a", "missing"); got["a"].value != 1 || r.count() != 1 {
			t.Errorf("got %v after %d reads, want it from the cache", got, r.count())
		}
		c.clock.Advance(1)
		if got := c.must(t, r, 6, "a"); got["a"].value != 10 || r.count() != 2 {
			t.Errorf("got %v after %d reads, want it read anew", got, r.count())
		}
		c.clock.Reset()
		if c.must(t, r, 0, "a"); r.count() != 3 {
			t.Errorf("%d reads, want one more after the Reset", r.count())
		}
	})
}

// TestCacheReadsOnce: what many ask for at once is read once, and what is asked
// for meanwhile is read together, next.
func TestCacheReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newReads(t)
		var wait sync.WaitGroup
		ask := func(need uint64, keys ...mapper.Key) { wait.Go(func() { c.must(t, r, need, keys...) }) }
		for range 100 {
			ask(0, "a")
		}
		synctest.Wait()
		c.clock.Advance(1)
		for range 50 {
			ask(0, "a")      // the running statement will do
			ask(1, "a", "c") // it began before the change
			ask(0, "b")
		}
		wait.Wait()
		want := [][]mapper.Key{{"a"}, {"a", "b", "c"}}
		if !slices.EqualFunc(r.batches, want, slices.Equal) {
			t.Errorf("read %v, want %v", r.batches, want)
		}
	})
}

// TestCacheReadsOnceAtTheEnd: who looks into the cache just before a statement
// ends and asks for its rows just after it reads nothing anew.
func TestCacheReadsOnceAtTheEnd(t *testing.T) {
	c, r := newReads(t)
	r.took = 0
	for range 500 { // whether somebody looks at that moment is up to the scheduler
		need := c.clock.Advance(1)
		before := r.count()
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() { c.must(t, r, need, "a") })
		}
		wait.Wait()
		if got := r.count() - before; got != 1 {
			t.Fatalf("%d reads of one change, want 1", got)
		}
	}
	c.running.Wait()
	if len(c.groups) != 0 {
		t.Errorf("%d groups of statements are kept, and none runs", len(c.groups))
	}
}

// TestCacheErrors are told to all who waited, and not kept.
func TestCacheErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newReads(t)
		r.err = errors.New("down")
		if _, err := c.get(t.Context(), things, Wants([]mapper.Key{"a"}, 0), r.fetch); !errors.Is(err, r.err) {
			t.Errorf("got error %v", err)
		}
		r.err = nil
		if got := c.must(t, r, 0, "a"); got["a"].value != 1 {
			t.Errorf("got %v", got)
		}
	})
}

// TestCacheCancel: a caller who gives up leaves the statement to the others.
func TestCacheCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newReads(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := c.get(ctx, things, Wants([]mapper.Key{"a"}, 0), r.fetch); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v", err)
			}
		})
		synctest.Wait()
		wait.Go(func() {
			if got := c.must(t, r, 0, "a"); got["a"].value != 1 {
				t.Errorf("got %v", got)
			}
		})
		synctest.Wait()
		cancel()
		wait.Wait()
		if r.count() != 1 {
			t.Errorf("%d reads, want 1", r.count())
		}
	})
}
