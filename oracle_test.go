package rowsync_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestOracle holds the one invariant: when the database rests, what is held
// equals a fresh load. It makes random transactions and compares every held
// value after each batch of them with what plain SQL says it must be.
//
// See withSeeds for how to replay a seed and how to run for long.
func TestOracle(t *testing.T) { withSeeds(t, []uint64{0, 1, 2}, oracle) }

// oracle runs one seed and returns the number of operations.
func oracle(t *testing.T, seed uint64) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	rng := rand.New(rand.NewPCG(seed, 1))
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL))
	ws := newWriters(seed, 3, db)
	ws.write(ctx, t, 15, false)
	opts := &rowsync.Options{
		Watchers: []rowsync.Watcher{
			rowsync.WatchModel[Post](rowsync.With("Author.FavouriteTags", "Editor", "Tags", "HotTags", "Comments")),
			rowsync.WatchModel[Person](rowsync.With("Posts.Tags", "TestPosts", "FavouriteTags", "Fans", "AllTags", "Profile")),
			rowsync.WatchModel[Tag](rowsync.With("Posts")),
		},
		Buffer: [...]int{1, 8, 4096}[rng.IntN(3)],
	}
	client, err := rowsync.Open(ctx, db, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	held := holdAll(ctx, t, client)
	for batch := range 20 {
		ws.takeLog()
		for range 1 + rng.IntN(3) {
			ws.write(ctx, t, 1, rng.IntN(2) == 0)
			if rng.IntN(20) == 0 {
				killReader(ctx, t, db)
			}
		}
		log := ws.takeLog()
		fresh := readWorld(ctx, t, db)
		for _, h := range held {
			h.await(t, fresh, batch, log)
		}
	}
	t.Logf("%d operations, %+v", ws.ops(), client.Stats())
	return ws.ops()
}

// holding is one value that is held, by a Live or by a Subscriber.
type holding struct {
	name    string
	now     func() string
	want    func(w *world) string
	err     func() error
	changed <-chan struct{}
}

// await waits until what is held is what it must be.
func (h *holding) await(t *testing.T, fresh *world, batch int, log string) {
	t.Helper()
	want := h.want(fresh)
	timeout := time.After(20 * time.Second)
	for {
		got := h.now()
		if got == want {
			return
		}
		select {
		case <-h.changed:
		case <-timeout:
			t.Fatalf("batch %d: %s differs from a fresh load (error: %v)\n%sstatements of this batch:\n%s",
				batch, h.name, h.err(), difference(got, want), log)
		}
	}
}

func openPool(ctx context.Context, t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// killReader ends the connection that captures.
func killReader(ctx context.Context, t testing.TB, db *pgxpool.Pool) {
	t.Helper()
	_, err := db.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = 'rowsync' and datname = current_database()`)
	if err != nil {
		t.Fatal(err)
	}
}

// holdAll holds values of every shape over every association.
func holdAll(ctx context.Context, t *testing.T, c *rowsync.Client) []*holding {
	t.Helper()
	everything := []string{"Author.FavouriteTags", "Editor", "Tags", "HotTags", "Comments"}
	posts, err := rowsync.Query[Post](ctx, c, rowsync.Select{With: everything})
	if err != nil {
		t.Fatal(err)
	}
	tests, err := rowsync.Query[Post](ctx, c, rowsync.Select{
		Where: "title like $1", Args: []any{"test%"}, OrderBy: "id", With: everything,
	})
	if err != nil {
		t.Fatal(err)
	}
	people, err := rowsync.Query[Person](ctx, c, rowsync.Select{
		OrderBy: "name", With: []string{"Posts.Tags", "TestPosts", "FavouriteTags", "Fans", "AllTags", "Profile"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tags, err := rowsync.Query[Tag](ctx, c, rowsync.Select{With: []string{"Posts"}})
	if err != nil {
		t.Fatal(err)
	}
	loadPosts := func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, c, rowsync.Select{With: everything})
	}
	followed, err := rowsync.Follow(ctx, c, loadPosts, rowsync.With(everything...))
	if err != nil {
		t.Fatal(err)
	}
	anyPost := func(*Post) bool { return true }
	return []*holding{
		holdLive(ctx, t, "Live of posts", posts, func(w *world) any { return w.wantPosts(anyPost) }),
		holdLive(ctx, t, "Live of test posts", tests, func(w *world) any {
			return w.wantPosts(func(p *Post) bool { return strings.HasPrefix(p.Title, "test") })
		}),
		holdLive(ctx, t, "Live of people", people, func(w *world) any { return w.wantPeople() }),
		holdLive(ctx, t, "Live of tags", tags, func(w *world) any { return w.wantTags() }),
		holdLive(ctx, t, "Live of a load function", followed, func(w *world) any { return w.wantPosts(anyPost) }),
		holdSynced(ctx, t, c, loadPosts, everything, func(w *world) any { return w.wantPosts(anyPost) }),
	}
}

func holdLive[T any](ctx context.Context, t *testing.T, name string, l *rowsync.Live[T], want func(*world) any) *holding {
	t.Helper()
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	var handedOut []kept
	go func() {
		defer close(done)
		for v := range l.Changes(ctx) {
			if len(handedOut) < 100 {
				handedOut = append(handedOut, keep(v))
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
		l.Close()
		for _, k := range handedOut {
			k.check(t, name)
		}
	})
	return &holding{
		name: name, changed: changed, err: l.Err,
		now:  func() string { return show(l.Value()) },
		want: func(w *world) string { return show(want(w)) },
	}
}

// kept is a value that was handed out, with what it was then.
type kept struct {
	value any
	was   string
}

func keep(v any) kept { return kept{v, show(v)} }

// check fails if the value was altered since.
func (k kept) check(t *testing.T, name string) {
	t.Helper()
	if now := show(k.value); now != k.was {
		t.Errorf("%s: a value that was handed out was altered\n%s", name, difference(now, k.was))
	}
}
