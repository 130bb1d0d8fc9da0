package pgtrigger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rowsync/rowsync/capture"
)

// moments notes when each transaction's change arrived.
type moments chan time.Time

func (m moments) Started()                 {}
func (m moments) Deliver([]capture.Change) { m <- time.Now() }
func (m moments) Reset(capture.Reset)      {}

// From the commit's acknowledgement at the writer to Deliver, at 200 commits a
// second, which a reader sleeps through.
func BenchmarkQuiet(b *testing.B) {
	url := database(b, postsSQL)
	n := newNode(b, url, Options{Logger: quiet()})
	arrived := make(moments, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- n.src.Run(ctx, tablesOf(posts()), arrived) }()
	n.awaitAsleep()
	w := connect(b, url)
	var late []time.Duration
	for i := 0; b.Loop(); i++ {
		if _, err := w.Exec(ctx, "update posts set author_id = $1 where id = 1", i); err != nil {
			b.Fatal(err)
		}
		acknowledged := time.Now()
		late = append(late, (<-arrived).Sub(acknowledged))
		time.Sleep(5 * time.Millisecond) // the rate of commits that is measured
	}
	cancel()
	<-done
	slices.Sort(late)
	at := func(q float64) float64 { return float64(late[int(q*float64(len(late)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "µs-p50")
	b.ReportMetric(at(0.99), "µs-p99")
	b.ReportMetric(0, "ns/op")
}

// One statement that changes 100,000 rows: how long it takes, without capture
// and with it, and from its start until the last change is delivered.
func BenchmarkBulk(b *testing.B) {
	setup := "create table posts (id bigint primary key, author_id bigint, title text); insert into posts select g, g, 'x' from generate_series(1, 100000) g"
	for _, captured := range []bool{false, true} {
		b.Run(fmt.Sprintf("captured=%v", captured), func(b *testing.B) {
			url := database(b, setup)
			w := connect(b, url)
			var n *node
			if captured {
				n = start(b, url, Options{}, posts())
				n.awaitAsleep()
			}
			w.do("vacuum analyze posts")
			var statement, all time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				w.do("update posts set author_id = author_id + 1")
				statement += time.Since(began)
				if captured {
					n.awaitChanges(100_000 * (i + 1))
					all += time.Since(began)
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
