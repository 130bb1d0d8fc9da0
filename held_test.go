package rowsync_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rowsync/rowsync"
)

// heldBoth is the rows of a query, held in both ways: by hand, with a Subscriber
// and Sync, and by a Live.
type heldBoth[T any] struct {
	t      *testing.T
	client *rowsync.Client
	db     *database
	q      rowsync.Select

	sub   *rowsync.Subscriber
	value []*T
	live  *rowsync.Live[[]*T]
}

// holdBoth holds the rows of a query. The list that is held by hand also takes in
// what is told of targets.
func holdBoth[T any](t *testing.T, client *rowsync.Client, db *database, q rowsync.Select, targets ...rowsync.Target) *heldBoth[T] {
	t.Helper()
	h := &heldBoth[T]{t: t, client: client, db: db, q: q}
	h.sub, h.value = loaded[T](t, client, q)
	if err := h.sub.SubscribeTo(targets...); err != nil {
		t.Fatal(err)
	}
	h.live = query[T](t, client, q)
	return h
}

// after makes statements, each a transaction, and fails unless everything that
// is held then is what a fresh load returns: with the events in their order,
// with each of them twice, and when all of them come once more, the last first.
func (h *heldBoth[T]) after(statements ...string) {
	h.t.Helper()
	for _, sql := range statements {
		h.db.exec(sql)
	}
	events := drained(h.t, h.db, h.sub)
	before := show(h.value)
	held := h.value
	fresh, err := rowsync.LoadAll[T](h.t.Context(), h.client, h.q)
	if err != nil {
		h.t.Fatal(err)
	}
	wanted := show(fresh)
	check := func(how string) {
		h.t.Helper()
		if got := show(h.value); got != wanted {
			h.t.Errorf("after %q, events %s:\n%s", statements, how, difference(got, wanted))
		}
	}
	for _, ev := range events {
		h.sync(ev)
		h.sync(ev)
	}
	check("each twice")
	for _, ev := range slices.Backward(events) {
		h.sync(ev)
	}
	check("once more, the last first")
	if now := show(held); now != before {
		h.t.Errorf("after %q, Sync has altered its argument:\n%s", statements, difference(now, before))
	}
	await(h.t, h.live, func(v []*T, err error) bool { return err == nil && show(v) == wanted })
}

func (h *heldBoth[T]) sync(ev rowsync.Event) {
	h.t.Helper()
	v, err := rowsync.Sync(h.t.Context(), h.sub, h.value, ev)
	if err != nil {
		h.t.Fatalf("Sync of %s: %v", ev, err)
	}
	h.value = v
}

// drained takes every event of what was committed so far, up to a mark that it
// commits itself.
func drained(t *testing.T, db *database, sub *rowsync.Subscriber) (events []rowsync.Event) {
	t.Helper()
	var id int64
	if err := db.QueryRow(t.Context(), "insert into people (name) values ('mark') returning id").Scan(&id); err != nil {
		t.Fatal(err)
	}
	mark := rowsync.On[Person](rowsync.Deleted).Key(id)
	if err := sub.SubscribeTo(mark); err != nil {
		t.Fatal(err)
	}
	db.exec("delete from people where id = $1", id)
	for {
		ev := next(t, sub)
		switch {
		case ev.Reset != nil || ev.Table.Name != "people" || ev.Key()[0].Text != fmt.Sprint(id):
			events = append(events, ev)
		case ev.Op == rowsync.Deleted:
			if err := sub.UnsubscribeFrom(mark); err != nil {
				t.Fatal(err)
			}
			return events
		}
	}
}
