package rowsync_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// crowd is Subscribers that follow all people, each with a list of its own.
type crowd struct {
	subs   []*rowsync.Subscriber
	people [][]*Person
}

func newCrowd(t *testing.T, client *rowsync.Client, n int) *crowd {
	t.Helper()
	c := &crowd{}
	for range n {
		sub, people := loaded[Person](t, client, rowsync.Select{})
		if err := sub.SubscribeTo(rowsync.On[Person](rowsync.AnyOp)); err != nil {
			t.Fatal(err)
		}
		c.subs, c.people = append(c.subs, sub), append(c.people, people)
	}
	return c
}

// take takes n events in, by all at once.
func (c *crowd) take(t *testing.T, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i, sub := range c.subs {
		wg.Go(func() {
			for range n {
				ev := next(t, sub)
				if ev.Reset != nil {
					t.Errorf("told %s, want every change", ev)
					return
				}
				var err error
				if c.people[i], err = rowsync.Sync(t.Context(), sub, c.people[i], ev); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// waiting takes what waits for a Subscriber, up to the deletion of a row.
func waiting(t *testing.T, sub *rowsync.Subscriber, last string) (events []rowsync.Event) {
	t.Helper()
	for {
		ev := next(t, sub)
		if ev.Reset == nil && ev.Op == rowsync.Deleted && ev.Key()[0].Text == last {
			return events
		}
		events = append(events, ev)
	}
}

// TestSlowSubscribers: of a thousand Subscribers ten never read. The others are
// told every change while the ten stand still, and the ten cost their buffers,
// whose contents have become one Reset.
func TestSlowSubscribers(t *testing.T) {
	const quick, stuck, rows, rounds, buffer = 990, 10, 6, 12, 16
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL)), t}
	db.exec("insert into people (name) select 'p' from generate_series(1, $1)", rows)
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}, Buffer: buffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	readers, still := newCrowd(t, client, quick), newCrowd(t, client, stuck)
	var heap int64
	for round := range rounds {
		// The next round is written when all readers have taken this one in, so
		// that a reader who has to wait for one of the ten would wait for ever.
		db.exec("update people set name = $1", fmt.Sprint("round ", round))
		readers.take(t, rows)
		if round == rounds/2 {
			heap = liveHeap()
		}
	}
	if grown := liveHeap() - heap; grown > 1<<20 {
		t.Errorf("%d kB more are held after %d further changes, all of which %d Subscribers did not take", grown>>10, rows*rounds/2, stuck)
	}
	fresh, err := rowsync.LoadAll[Person](t.Context(), client, rowsync.Select{})
	if err != nil {
		t.Fatal(err)
	}
	for _, people := range readers.people {
		want(t, people, fresh)
	}
	for i, sub := range still.subs {
		ev := next(t, sub)
		if _, err := rowsync.Sync(t.Context(), sub, still.people[i], ev); !errors.Is(err, rowsync.ErrReset) {
			t.Errorf("the first event is %s, Sync of it: %v; want a Reset", ev, err)
		}
	}
	db.exec("delete from people where id = 1") // there is room for it now
	readers.take(t, 1)
	for _, sub := range still.subs {
		events := waiting(t, sub, "1")
		if slices.ContainsFunc(events, func(ev rowsync.Event) bool { return ev.Reset != nil }) || len(events) >= buffer {
			t.Errorf("after the Reset %v waited, want fewer than %d changes", events, buffer)
		}
		people, err := rowsync.Load(t.Context(), sub, loadAll[Person](client, rowsync.Select{}))
		if err != nil {
			t.Fatal(err)
		}
		wantFresh(t, client, rowsync.Select{}, people)
	}
}

// TestSlowSubscriberOfValues: for values, events of one row that wait become
// one, so that a Subscriber that never reads while few rows change often falls
// behind by these rows alone, without a Reset.
func TestSlowSubscriberOfValues(t *testing.T) {
	const rows, rounds, buffer = 8, 30, 16
	db := &database{openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL)), t}
	db.exec("insert into people (name) select 'p' from generate_series(1, $1)", rows)
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}, Buffer: buffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub, people := loaded[Person](t, client, rowsync.Select{})
	for round := range rounds {
		db.exec("update people set name = $1", fmt.Sprint("round ", round))
	}
	settle(t, client, db) // before the mark of drained, which keeps changes apart
	events := drained(t, db, sub)
	if len(events) != rows {
		t.Errorf("%d events waited for %d rows", len(events), rows)
	}
	for _, ev := range events {
		if people, err = rowsync.Sync(t.Context(), sub, people, ev); err != nil {
			t.Fatalf("Sync of %s: %v", ev, err)
		}
	}
	wantFresh(t, client, rowsync.Select{}, people)
}

// TestSlowLive: whoever does not look at a Live, or hangs in its loop, does not
// hold up the Live, nor others.
func TestSlowLive(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('p')")
	settle(t, client, db)
	slow, quick := query[Person](t, client, rowsync.Select{}), query[Person](t, client, rowsync.Select{Where: "id > 0"})
	hangs, goOn, seen := make(chan struct{}), make(chan struct{}), make(chan []string, 1)
	go func() {
		var names []string
		for people, err := range slow.Changes(t.Context()) {
			if err != nil {
				break
			}
			if names = append(names, people[0].Name); len(names) == 1 {
				close(hangs)
				<-goOn
			}
			if people[0].Name == "round 19" {
				break
			}
		}
		seen <- names
	}()
	<-hangs
	for round := range 20 {
		name := fmt.Sprint("round ", round)
		db.exec("update people set name = $1", name)
		for _, l := range []*rowsync.Live[[]*Person]{quick, slow} {
			await(t, l, func(people []*Person, err error) bool { return err == nil && people[0].Name == name })
		}
	}
	close(goOn)
	if names := fmt.Sprint(<-seen); names != "[p round 19]" {
		t.Errorf("who hung saw %s, want what was there when he began and when he went on", names)
	}
}
