package rowsync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestOracleKeys holds the invariant of TestOracle over keys of every kind,
// with values that come and go while others write, and with events that come
// twice or late.
//
// See withSeeds for how to replay a seed and how to run for long.
func TestOracleKeys(t *testing.T) {
	withSeeds(t, []uint64{0, 5}, oracleKeys) // 5 has a buffer of 3
}

// oracleKeys runs one seed and returns the number of operations.
func oracleKeys(t *testing.T, seed uint64) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	rng := rand.New(rand.NewPCG(seed, 7))
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, keysSQL))
	client := openKeys(ctx, t, db, [...]int{3, 4096, 4096}[rng.IntN(3)])
	writer := &keysWriter{rng: rand.New(rand.NewPCG(seed, 3)), db: db}
	makers := keyMakers(ctx, client, rng)
	var held keyHoldings
	defer func() { held.close() }()
	for _, hold := range makers {
		held = held.with(t, hold)
	}
	for batch := range 20 {
		log := writeMeanwhile(ctx, t, writer, 1+rng.IntN(25), func() {
			held = held.letGo(rng)
			for len(held) < len(makers)+3 {
				held = held.with(t, makers[rng.IntN(len(makers))])
			}
		})
		for _, h := range held {
			h.await(ctx, t, func() string {
				return fmt.Sprintf("statements of batch %d:\n%s", batch, strings.Join(log, "\n"))
			})
		}
	}
	docs, err := rowsync.LoadAll[Doc](ctx, client, rowsync.Select{With: []string{"Labels", "Owner"}})
	if err != nil {
		t.Fatal(err)
	}
	checkKeys(ctx, t, db, docs)
	t.Logf("%d operations, %+v", writer.ops, client.Stats())
	return writer.ops
}

// The paths of the models.
var (
	accountPaths = []string{"Docs.Labels", "Desk", "Labels"}
	docPaths     = []string{"Owner.Desk", "Editor", "Labels.Of", "Latest", "Main.Mains"}
	labelPaths   = []string{"Of", "Docs.Owner", "Mains"}
	kindPaths    = []string{"Labels.Docs"}
)

func openKeys(ctx context.Context, t *testing.T, db *pgxpool.Pool, buffer int) *rowsync.Client {
	t.Helper()
	client, err := rowsync.Open(ctx, db, &rowsync.Options{Buffer: buffer, Watchers: []rowsync.Watcher{
		rowsync.WatchModel[Account](rowsync.With(accountPaths...)),
		rowsync.WatchModel[Doc](rowsync.With(docPaths...)),
		rowsync.WatchModel[DocLabel](rowsync.With(labelPaths...)),
		rowsync.WatchModel[KindRow](rowsync.With(kindPaths...)),
		rowsync.WatchModel[DocTitle](),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// keyMaker begins to hold a value.
type keyMaker func() (*keyHolding, error)

func keyMakers(ctx context.Context, c *rowsync.Client, rng *rand.Rand) []keyMaker {
	return []keyMaker{
		live[Account](ctx, c, rowsync.Select{With: accountPaths}),
		live[Doc](ctx, c, rowsync.Select{With: docPaths}),
		live[Doc](ctx, c, rowsync.Select{Where: "tenant = 1", OrderBy: "title", With: []string{"Owner"}}),
		live[DocLabel](ctx, c, rowsync.Select{With: labelPaths}),
		live[KindRow](ctx, c, rowsync.Select{With: kindPaths}),
		live[DocTitle](ctx, c, rowsync.Select{}),
		byHand[Account](ctx, c, accountPaths, rng),
		byHand[Doc](ctx, c, docPaths, rng),
		byHand[DocLabel](ctx, c, labelPaths, rng),
		byHand[KindRow](ctx, c, kindPaths, rng),
		byHand[DocTitle](ctx, c, nil, rng),
	}
}

func live[T any](ctx context.Context, c *rowsync.Client, q rowsync.Select) keyMaker {
	return func() (*keyHolding, error) { return holdKeysLive[T](ctx, c, q) }
}

func byHand[T any](ctx context.Context, c *rowsync.Client, with []string, rng *rand.Rand) keyMaker {
	return func() (*keyHolding, error) { return holdKeysByHand[T](ctx, c, with, rng.Uint64()) }
}

type keyHoldings []*keyHolding

// with returns them and one more.
func (hs keyHoldings) with(t *testing.T, hold keyMaker) keyHoldings {
	t.Helper()
	h, err := hold()
	if err != nil {
		t.Fatal(err)
	}
	return append(hs, h)
}

// letGo closes some.
func (hs keyHoldings) letGo(rng *rand.Rand) keyHoldings {
	return slices.DeleteFunc(hs, func(h *keyHolding) bool {
		if rng.IntN(6) != 0 {
			return false
		}
		h.close()
		return true
	})
}

func (hs keyHoldings) close() {
	for _, h := range hs {
		h.close()
	}
}

// writeMeanwhile makes transactions while do runs, and returns what they did.
func writeMeanwhile(ctx context.Context, t *testing.T, w *keysWriter, transactions int, do func()) (log []string) {
	t.Helper()
	var (
		wait sync.WaitGroup
		err  error
	)
	defer wait.Wait() // also if do ends the test
	wait.Go(func() {
		for range transactions {
			var done []string
			if done, err = w.transaction(ctx); err != nil {
				return
			}
			log = append(log, done...)
		}
	})
	do()
	if wait.Wait(); err != nil {
		t.Fatal(err)
	}
	return log
}
