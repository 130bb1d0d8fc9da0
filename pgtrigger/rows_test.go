package pgtrigger

import (
	"context"
	"testing"
	"time"
)

// Of a transaction's row triggers all ring, and one bell is heard.
func TestRowsRingOnce(t *testing.T) {
	p := watching(t, eventsSQL, Options{}, events())
	p.awaitAsleep()
	ear := connect(t, p.url)
	ear.do("listen " + ident(p.src.names.Channel))
	p.w.do("begin; insert into events select g, 1 + g % 2, g % 20, '' from generate_series(1001, 2000) g; update events set note = 'x' where id > 1000; commit")
	p.awaitChanges(2000)
	ear.do("notify " + ident(p.src.names.Channel) + ", 'end'")
	for heard := 0; ; heard++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		bell, err := ear.WaitForNotification(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if bell.Payload == "end" {
			if heard != 1 {
				t.Errorf("%d bells for one transaction, want 1", heard)
			}
			return
		}
	}
}

// Who may not make the triggers of the tables that inherit is told so, at once.
func TestRowPrivileges(t *testing.T) {
	url := database(t, placesSQL, postsSQL, `
		do $$ begin create role helper login; exception when duplicate_object or unique_violation then end $$;
		create schema rowsync authorization helper;
		grant trigger on places, posts to helper`)
	helper := url + "&user=helper"
	n := start(t, helper, Options{}, posts())
	n.stop()
	begin(t, helper, Options{}, table("places")).awaitError("may not create triggers on public.places, or on a table that inherits from it", "lacks TRIGGER")
	begin(t, helper, Options{Always: true}, posts()).awaitError("may not create triggers on public.posts", "only their owner may, with option Always")
	connect(t, url).do("grant trigger on towns, capitals to helper")
	start(t, helper, Options{}, table("places"))
}

// A clone of the triggers that somebody disables is missed.
func TestCloneDisabled(t *testing.T) {
	p := watching(t, eventsSQL, Options{SafetyPoll: 20 * time.Millisecond}, events())
	p.w.do("alter table events_1 disable trigger user")
	p.await("the reset", func() bool { return len(p.resets) > 0 && p.resets[0].Err != nil })
	p.w.do("alter table events_1 enable trigger user")
	p.awaitReset("events")
	p.expect("insert into events values (1, 1, 1, '')", "insert events ∅→(1,1)")
}
