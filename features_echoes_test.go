package rowsync_test

import (
	"errors"
	"testing"

	"github.com/rowsync/rowsync"
)

// person tells apart the rows of people in these tests.
func person(id int64) *Person { return &Person{ID: id} }

// TestB14Counters: a write that is not marked is expected by hand.
func TestB14Counters(t *testing.T) {
	n := openNodes(t, asItIs)
	expect := func(rows ...any) {
		t.Helper()
		for _, row := range rows {
			if err := n.sub.ExpectEcho(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	// tells fails unless the statements bring these events: N for news, e for an echo.
	tells := func(sql, want string) {
		t.Helper()
		n.exec(sql)
		n.exec("insert into tags values ('mark', ''); delete from tags")
		got := ""
		for _, ev := range n.told(n.sub) {
			answers := ""
			for range 2 { // the question alters nothing
				answers += map[bool]string{true: "N", false: "e"}[n.sub.ShouldUpdate(ev)]
			}
			if answers[0] != answers[1] {
				t.Errorf("%s: %s", ev, answers)
			}
			got += answers[:1]
			if !n.beside.ShouldUpdate(ev) {
				t.Errorf("%s: what one Subscriber expected is no news to another", ev)
			}
		}
		next(t, n.sub)
		if got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
	const both, one = "update people set name = 'x'", "update people set name = 'y' where id = 1"
	tells(both, "NN")
	expect(person(1))
	tells(both, "eN")
	tells(both, "NN")
	expect(Person{ID: 2}, person(2))
	tells(both, "Ne")
	tells(both, "Ne")
	tells(both, "NN")

	// The write failed.
	expect(person(1))
	if err := errors.Join(n.sub.CancelEcho(person(1)), n.sub.CancelEcho(*person(1))); err != nil {
		t.Fatal(err)
	}
	tells(both, "NN")

	// A foreign change that is first is taken for it; the echo is news then.
	expect(person(1))
	tells(one, "e")
	tells(one, "N")

	// Inserts, deletes, new keys.
	expect(person(7), person(7), person(8))
	tells("insert into people (id, name) overriding system value values (7, 'x')", "e")
	tells("alter table people alter id drop identity; update people set id = 8 where id = 7", "e")
	tells("update people set id = 7 where id = 8", "e")
	tells("delete from people where id = 7", "N")

	// Beside the tag, a mark counts for what is expected too: it is not left to
	// pass over what somebody else writes later.
	expect(person(1))
	if _, err := n.sub.Writer().Exec(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	tells(one, "eN")

	// A Reset may have swallowed it.
	expect(person(1))
	n.exec("truncate tags cascade")
	if ev := next(t, n.sub); ev.Reset == nil || !n.sub.ShouldUpdate(ev) {
		t.Fatalf("told %s, want a Reset, and that it is news", ev)
	}
	tells(one, "e") // that was of another table
	expect(person(1))
	n.exec("truncate people cascade; insert into people (id, name) values (1, 'x')")
	for _, table := range []string{"people", "posts"} {
		if ev := next(t, n.sub); ev.Reset == nil || ev.Reset.Table.Name != table {
			t.Fatalf("told %s, want a Reset of %s", ev, table)
		}
	}
	tells(one, "NN")
}

// TestB14CountersJoined: an event that stands for several changes is an echo if
// as many are expected; if not, it takes those that there are.
func TestB14CountersJoined(t *testing.T) {
	for name, test := range map[string]struct {
		expected int
		news     bool
		next     bool
	}{"none": {0, true, true}, "too few": {2, true, true}, "all": {3, false, true}, "one more": {4, false, false}} {
		t.Run(name, func(t *testing.T) {
			client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
			db.exec("insert into people (name) values ('ada')")
			settle(t, client, db)
			sub := client.NewSubscriber(t.Context())
			if _, err := sub.Subscribe(person(1)); err != nil {
				t.Fatal(err)
			}
			for range test.expected {
				if err := sub.ExpectEcho(person(1)); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				db.exec("update people set name = name || '.'")
			}
			settle(t, client, db)
			if ev := next(t, sub); sub.ShouldUpdate(ev) != test.news {
				t.Errorf("ShouldUpdate of three changes with %d expected says %v", test.expected, !test.news)
			}
			db.exec("update people set name = name || '.'")
			if ev := next(t, sub); sub.ShouldUpdate(ev) != test.next {
				t.Errorf("ShouldUpdate of the next change says %v", !test.next)
			}
		})
	}
}

// TestB14CountersErrors: what is no row of a watched model is refused.
func TestB14CountersErrors(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	sub := client.NewSubscriber(t.Context())
	for _, test := range []struct {
		row  any
		want string
	}{
		{nil, "<nil> is no row: pass a struct of a watched model, or a pointer to one that is not nil"},
		{(*Person)(nil), "*rowsync_test.Person is no row: pass a struct of a watched model, or a pointer to one that is not nil"},
		{[]Person{}, "[]rowsync_test.Person is no row: pass a struct of a watched model, or a pointer to one that is not nil"},
		{Tag{}, "model Tag (public.tags) is not watched: add rowsync.WatchModel[rowsync_test.Tag]() to Options.Watchers"},
	} {
		wantLines(t, sub.ExpectEcho(test.row), "expect echo: ", test.want)
		wantLines(t, sub.CancelEcho(test.row), "cancel echo: ", test.want)
	}
}

// TestB14CountersLabels: a change is counted once, by the event that has no
// label; those with one stay news.
func TestB14CountersLabels(t *testing.T) {
	w := openWatch(t, worldSQL+"insert into people (name) values ('ada');", rowsync.WatchModel[Person](), rowsync.Watch{Model: Person{}, Label: "renamed"})
	w.follow(rowsync.Label("renamed"), rowsync.On[Person](rowsync.AnyOp))
	if err := w.sub.ExpectEcho(person(1)); err != nil {
		t.Fatal(err)
	}
	for _, ev := range w.told("update people set name = 'eve'") {
		if got := w.sub.ShouldUpdate(ev); got != (ev.Label == "renamed") {
			t.Errorf("ShouldUpdate of %s says %v", ev, got)
		}
	}
}
