package rowsync_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

const (
	benchPosts = 10_000
	benchTags  = 3 // of each post
)

// bigWorld is a Client on a world with many posts, each with tags and an author,
// and all of them loaded.
func bigWorld(b *testing.B) (*rowsync.Client, *database, []*Post) {
	b.Helper()
	ctx := b.Context()
	db := openPool(ctx, b, pgtemp.Shared(b).Database(b, worldSQL))
	client, err := rowsync.Open(ctx, db, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Tags", "Author"))}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	d := &database{db, b}
	d.exec(fmt.Sprintf(`insert into people (name) select 'p' || n from generate_series(1, 1000) n;
		insert into tags select 't' || n, 'tag ' || n from generate_series(0, 999) n;
		insert into posts (title, author_id) select 'post ' || n, 1 + n %% 1000 from generate_series(1, %d) n;
		insert into posts_tags select p.id, 't' || (p.id * 7 + k * 31) %% 1000 from posts p, generate_series(1, %d) k;
		analyze`, benchPosts, benchTags))
	posts, err := rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: []string{"Tags", "Author"}})
	if err != nil {
		b.Fatal(err)
	}
	return client, d, posts
}

// BenchmarkSubscribe follows 10,000 posts with 3 tags and an author each. A
// followed row is a post, or a place where a post holds a tag or an author. The
// memory is what the first Subscriber of a Client adds, the Client's index
// included; each further one adds less.
func BenchmarkSubscribe(b *testing.B) {
	client, _, posts := bigWorld(b)
	const rows = benchPosts * (1 + benchTags + 1)
	subscribe := func() (*rowsync.Subscriber, int) {
		sub := client.NewSubscriber(b.Context())
		followed, err := sub.Subscribe(posts, rowsync.With("Tags", "Author"))
		if err != nil {
			b.Fatal(err)
		}
		return sub, len(followed)
	}
	before := liveHeap()
	one, items := subscribe()
	first := liveHeap()
	two, _ := subscribe()
	second := liveHeap()
	one.Close()
	two.Close()
	for b.Loop() {
		sub, _ := subscribe()
		b.StopTimer()
		sub.Close()
		b.StartTimer()
	}
	runtime.KeepAlive(posts)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	b.ReportMetric(float64(first-before)/rows, "live-B/row")
	b.ReportMetric(float64(first-before)/(1<<20), "live-MB")
	b.ReportMetric(float64(second-first)/(1<<20), "live-MB/further")
	b.ReportMetric(float64(items), "items")
}

// BenchmarkSyncUpdate takes in one change of one row of 10,000 posts with 3 tags
// and an author each.
func BenchmarkSyncUpdate(b *testing.B) {
	ctx := b.Context()
	client, db, posts := bigWorld(b)
	holder, other := client.NewSubscriber(ctx), client.NewSubscriber(ctx)
	for _, sub := range []*rowsync.Subscriber{holder, other} {
		if _, err := sub.Subscribe(posts, rowsync.With("Tags", "Author")); err != nil {
			b.Fatal(err)
		}
	}
	sync := func(sub *rowsync.Subscriber, ev rowsync.Event) []*Post {
		out, err := rowsync.Sync(ctx, sub, posts, ev)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	for _, row := range []struct{ name, sql string }{
		{"post", "update posts set title = 'new ' || $1::int where id = 5000"},
		{"tag", "update tags set name = 'new ' || $1::int where id = 't500'"},
		{"author", "update people set name = 'new ' || $1::int where id = 500"},
	} {
		for _, cached := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/cached=%t", row.name, cached), func(b *testing.B) {
				n := 0
				for b.Loop() {
					b.StopTimer()
					n++
					if _, err := db.Exec(ctx, row.sql, n); err != nil {
						b.Fatal(err)
					}
					ev, evOther := next(b, holder), next(b, other)
					if cached {
						sync(other, evOther)
					}
					b.StartTimer()
					posts = sync(holder, ev)
				}
			})
		}
	}
}
