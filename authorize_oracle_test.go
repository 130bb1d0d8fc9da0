package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// TestOracleAuthorize is TestOracle for those who may not see every row: what
// is held equals a fresh load without the rows that may not be seen, be it a
// function that decides or row-level security.
func TestOracleAuthorize(t *testing.T) { withSeeds(t, []uint64{0, 1}, oracleAuthorize) }

func oracleAuthorize(t *testing.T, seed uint64) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	rng := rand.New(rand.NewPCG(seed, 1))
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL))
	ws := newWriters(seed, 3, db)
	ws.write(ctx, t, 15, false)
	secret := randomSecret(rng)
	reader := addReader(ctx, t, db, secret)
	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{
			rowsync.WatchModel[Post](rowsync.With(postPaths...)),
			rowsync.WatchModel[Person](rowsync.With(personPaths...)),
			rowsync.WatchModel[Tag](rowsync.With("Posts")),
		},
		Buffer:    [...]int{1, 8, 4096}[rng.IntN(3)],
		CacheSize: [...]int{1, 10_000}[rng.IntN(2)],
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	held := holdNarrow(ctx, t, client, rowsync.Authorize(secret.see), func(w *world) *world { return w }, secret)
	held = append(held, holdNarrow(ctx, t, client, rowsync.InScope(reader.scope), reader.part, nil)...)
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
		reader.world = readVisible(ctx, t, reader.pool)
		for _, h := range held {
			h.await(t, fresh, batch, log)
		}
	}
	t.Logf("%d operations, %+v", ws.ops(), client.Stats())
	return ws.ops()
}

var (
	postPaths   = []string{"Author.FavouriteTags", "Editor", "Tags", "HotTags", "Comments"}
	personPaths = []string{"Posts.Tags", "TestPosts", "FavouriteTags", "Fans", "AllTags", "Profile"}
)

// secret is, by table, the beginnings of names that make a row a secret.
type secret map[string][]string

func randomSecret(rng *rand.Rand) secret {
	s := secret{}
	for _, table := range []string{"people", "posts", "tags", "comments", "profiles"} {
		for _, word := range []string{"test", "apple", "melon", "zebra", "nut"} {
			if rng.IntN(4) == 0 {
				s[table] = append(s[table], word+fmt.Sprint(rng.IntN(5)), word+fmt.Sprint(rng.IntN(5)))
			}
		}
	}
	return s
}

func (s secret) hides(table, name string) bool {
	return slices.ContainsFunc(s[table], func(word string) bool { return strings.HasPrefix(name, word) })
}

// see is the authorization function.
func (s secret) see(_ context.Context, a rowsync.Access) (bool, error) {
	switch row := a.Row.(type) {
	case *Person:
		return !s.hides("people", row.Name), nil
	case *Post:
		return !s.hides("posts", row.Title), nil
	case *Tag:
		return !s.hides("tags", row.Name), nil
	case *Comment:
		return !s.hides("comments", row.Body), nil
	case *Profile:
		return !s.hides("profiles", row.Bio), nil
	case nil:
		return true, nil // who is gone is no secret
	}
	return false, fmt.Errorf("asked about %T", a.Row)
}

// The judge's pruning: it alters the value, which nobody else holds.

func (s secret) tags(tags []*Tag) []*Tag {
	return slices.DeleteFunc(tags, func(x *Tag) bool { return s.hides("tags", x.Name) })
}

func (s secret) posts(posts []*Post) []*Post {
	posts = slices.DeleteFunc(posts, func(p *Post) bool { return s.hides("posts", p.Title) })
	for _, p := range posts {
		if p.Author = s.person(p.Author); p.Author != nil {
			p.Author.FavouriteTags = s.tags(p.Author.FavouriteTags)
		}
		p.Editor = s.person(p.Editor)
		p.Tags = s.tags(p.Tags)
		p.HotTags = slices.DeleteFunc(p.HotTags, func(x Tag) bool { return s.hides("tags", x.Name) })
		p.Comments = slices.DeleteFunc(p.Comments, func(c Comment) bool { return s.hides("comments", c.Body) })
	}
	return posts
}

func (s secret) person(p *Person) *Person {
	if p == nil || s.hides("people", p.Name) {
		return nil
	}
	return p
}

func (s secret) people(people []*Person) []*Person {
	people = slices.DeleteFunc(people, func(p *Person) bool { return s.person(p) == nil })
	for _, p := range people {
		p.Posts, p.TestPosts = s.posts(p.Posts), s.posts(p.TestPosts)
		p.FavouriteTags, p.AllTags = s.tags(p.FavouriteTags), s.tags(p.AllTags)
		p.Fans = slices.DeleteFunc(p.Fans, func(p *Person) bool { return s.person(p) == nil })
		if p.Profile != nil && s.hides("profiles", p.Profile.Bio) {
			p.Profile = nil
		}
	}
	return people
}

func (s secret) tagged(tags []*Tag) []*Tag {
	tags = s.tags(tags)
	for _, x := range tags {
		x.Posts = s.posts(x.Posts)
	}
	return tags
}

// reader is a role for which row-level security keeps the secret.
type reader struct {
	scope rowsync.Scope
	pool  *pgxpool.Pool // of the role
	world *world        // what the role sees, as it was read last
}

func (r *reader) part(*world) *world { return r.world }

func addReader(ctx context.Context, t *testing.T, db *pgxpool.Pool, s secret) *reader {
	t.Helper()
	role := addRole(ctx, t, db)
	for table, column := range map[string]string{"people": "name", "posts": "title", "tags": "name", "comments": "body", "profiles": "bio"} {
		words := append([]string{"no such word"}, s[table]...)
		exec := func(sql string) {
			if _, err := db.Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		exec(fmt.Sprintf("alter table %s enable row level security", table))
		exec(fmt.Sprintf("create policy secret on %s to %s using (not %s ^@ any (array['%s']))", table, role, column, strings.Join(words, "','")))
	}
	config := db.Config()
	config.ConnConfig.RuntimeParams["role"] = role
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &reader{pool: pool, scope: rowsync.Scope{Name: role, Enter: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "set local role "+role)
		return err
	}}}
}

// addRole makes a role that may read the tables of the database. Roles are of
// the whole server, so it has a name of its own and ends with the test.
func addRole(ctx context.Context, t *testing.T, db *pgxpool.Pool) string {
	t.Helper()
	role := fmt.Sprintf("reader_%d", rand.Uint64())
	for _, sql := range []string{
		"create role " + role, "grant select on all tables in schema public to " + role,
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	return role
}

// readVisible is readWorld for a role that does not see every row: of the join
// tables' rows only those count whose ends it sees.
func readVisible(ctx context.Context, t *testing.T, pool *pgxpool.Pool) *world {
	t.Helper()
	w := readWorld(ctx, t, pool)
	post := func(id string) bool {
		return slices.ContainsFunc(keysOf(w.posts), func(k int64) bool { return fmt.Sprint(k) == id })
	}
	person := func(id string) bool {
		return slices.ContainsFunc(keysOf(w.people), func(k int64) bool { return fmt.Sprint(k) == id })
	}
	tag := func(id string) bool { return w.tags[id] != nil }
	only := func(links map[[2]string]bool, from, to func(string) bool) {
		for l := range links {
			if !from(l[0]) || !to(l[1]) {
				delete(links, l)
			}
		}
	}
	only(w.postTags, post, tag)
	only(w.favourites, person, tag)
	only(w.friends, person, person)
	return w
}

func keysOf[K comparable, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// holdNarrow holds values of every shape for one who may not see every row. part
// is the world that its database shows it, hidden what it may not see of that.
func holdNarrow(ctx context.Context, t *testing.T, c *rowsync.Client, opt rowsync.AccessOption, part func(*world) *world, hidden secret) []*holding {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	kind := fmt.Sprintf("%T", opt)
	anyPost := func(*Post) bool { return true }
	posts, err := rowsync.Query[Post](ctx, c, rowsync.Select{With: postPaths}, opt)
	must(err)
	tests, err := rowsync.Query[Post](ctx, c, rowsync.Select{Where: "title like 'test%'", OrderBy: "id", With: postPaths}, opt)
	must(err)
	people, err := rowsync.Query[Person](ctx, c, rowsync.Select{OrderBy: "name", With: personPaths}, opt)
	must(err)
	tags, err := rowsync.Query[Tag](ctx, c, rowsync.Select{With: []string{"Posts"}}, opt)
	must(err)
	var scoped []rowsync.LiveOption // what the load function itself takes care of
	if hidden == nil {
		scoped = append(scoped, opt)
	}
	load := func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, c, rowsync.Select{With: postPaths}, scoped...)
	}
	followed, err := rowsync.Follow(ctx, c, load, rowsync.With(postPaths...), opt)
	must(err)
	return []*holding{
		holdLive(ctx, t, kind+": Live of posts", posts, func(w *world) any { return hidden.posts(part(w).wantPosts(anyPost)) }),
		holdLive(ctx, t, kind+": Live of test posts", tests, func(w *world) any {
			return hidden.posts(part(w).wantPosts(func(p *Post) bool { return strings.HasPrefix(p.Title, "test") }))
		}),
		holdLive(ctx, t, kind+": Live of people", people, func(w *world) any { return hidden.people(part(w).wantPeople()) }),
		holdLive(ctx, t, kind+": Live of tags", tags, func(w *world) any { return hidden.tagged(part(w).wantTags()) }),
		holdLive(ctx, t, kind+": Live of a load function", followed, func(w *world) any { return hidden.posts(part(w).wantPosts(anyPost)) }),
		holdByHand(ctx, t, c, kind+": list synced by hand, told of all posts", opt, true, load,
			func(w *world, _ map[int64]bool) any { return hidden.posts(part(w).wantPosts(anyPost)) }),
		holdByHand(ctx, t, c, kind+": list synced by hand, told of what it holds", opt, false, load,
			func(w *world, loaded map[int64]bool) any {
				return hidden.posts(part(w).wantPosts(func(p *Post) bool { return loaded[p.ID] }))
			}),
	}
}

// holdByHand holds a list of posts with a Subscriber of its own and Sync. want is
// given the ids that were loaded last, hidden ones among them.
func holdByHand(ctx context.Context, t *testing.T, c *rowsync.Client, name string, opt rowsync.AccessOption, told bool,
	load func(context.Context) ([]*Post, error), want func(*world, map[int64]bool) any,
) *holding {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	sub := c.NewSubscriber(ctx, opt)
	var (
		mu      sync.Mutex
		value   []*Post
		loaded  map[int64]bool
		lastErr error
	)
	reload := func() error {
		var ids map[int64]bool
		posts, err := rowsync.Load(ctx, sub, func(ctx context.Context) ([]*Post, error) {
			posts, err := load(ctx)
			ids = map[int64]bool{}
			for _, p := range posts {
				ids[p.ID] = true
			}
			return posts, err
		}, rowsync.With(postPaths...))
		mu.Lock()
		defer mu.Unlock()
		if lastErr = err; err == nil {
			value, loaded = posts, ids
		}
		return err
	}
	if told {
		if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
	}
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	changed, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		for ev, err := range sub.Events(ctx) {
			if err != nil {
				return
			}
			next, err := rowsync.Sync(ctx, sub, value, ev)
			switch {
			case errors.Is(err, rowsync.ErrReset):
				err = reload()
			case err == nil:
				mu.Lock()
				value = next
				mu.Unlock()
			}
			mu.Lock()
			lastErr = err
			mu.Unlock()
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	// A Reset changes what is loaded, and so what is wanted, while it is awaited:
	// the two are compared at one moment.
	var fresh *world
	return &holding{
		name: name, changed: changed,
		err: func() error { mu.Lock(); defer mu.Unlock(); return lastErr },
		now: func() string {
			mu.Lock()
			defer mu.Unlock()
			sorted := append([]*Post{}, value...)
			sort.Slice(sorted, func(i, j int) bool { return sorted[i].ID < sorted[j].ID })
			return difference(show(sorted), show(want(fresh, loaded)))
		},
		want: func(w *world) string { fresh = w; return "" },
	}
}
