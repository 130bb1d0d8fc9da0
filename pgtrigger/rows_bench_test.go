package pgtrigger

import (
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// One statement that changes 100,000 rows of a partitioned table: without
// capture, and with the row triggers that it needs.
func BenchmarkBulkPartitioned(b *testing.B) {
	const setup = `create table posts (id bigint primary key, author_id bigint, title text) partition by hash (id);
		create table posts_0 partition of posts for values with (modulus 2, remainder 0);
		create table posts_1 partition of posts for values with (modulus 2, remainder 1);
		insert into posts select g, g, 'x' from generate_series(1, 100000) g`
	for _, c := range []struct {
		name string
		opts *Options
	}{
		{"not captured", nil},
		{"captured", &Options{}},
		{"captured without bell", &Options{NoBell: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			url := database(b, setup)
			w := connect(b, url)
			var n *node
			if c.opts != nil {
				n = start(b, url, *c.opts, posts())
				if !c.opts.NoBell {
					n.awaitAsleep()
				}
			}
			w.do("vacuum analyze posts")
			var statement, all time.Duration
			for b.Loop() {
				before := 0
				if n != nil {
					before = n.count()
				}
				began := time.Now()
				w.do("update posts set author_id = author_id + 1")
				statement += time.Since(began)
				if n != nil {
					n.await("all rows", func() bool { return len(n.changes) >= before+100_000 })
					all += time.Since(began)
					n.update(func() { n.changes, n.bursts = []capture.Change{}, nil })
				}
				b.StopTimer()
				w.do("vacuum posts")
				b.StartTimer()
			}
			b.ReportMetric(float64(statement.Milliseconds())/float64(b.N), "ms-statement")
			b.ReportMetric(float64(all.Milliseconds())/float64(b.N), "ms-delivered")
			b.ReportMetric(0, "ns/op")
		})
	}
}
