package pgtrigger

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

// oldServer is a ServerInfo that makes the server out to be another.
type oldServer struct {
	major, longest int
	err            error
}

func (s oldServer) Major(context.Context) (int, error)         { return s.major, s.err }
func (s oldServer) MaxIdentifier(context.Context) (int, error) { return s.longest, s.err }

func scriptTables() []*capture.Table {
	inserts := posts()
	inserts.Ops, inserts.Compared = capture.Insert, []string{"title"}
	return tablesOf(inserts, events(), table("places", "name"))
}

// The script installs all that is needed, of every kind of table, and may be run
// again; PostgreSQL 13 has no CREATE OR REPLACE TRIGGER, so it gets none.
func TestScript(t *testing.T) {
	for _, major := range []int{0, 13, 14} {
		if major > postgresMajor(t) {
			continue // the server takes nothing newer
		}
		for _, always := range []bool{false, true} {
			url := database(t, postsSQL, eventsSQL, placesSQL)
			opts := Options{Always: always, VerifyOnly: true, Logger: quiet()}
			if major > 0 {
				opts.Server = oldServer{major: major, longest: 63}
			}
			src := New(newPool(t, url), &opts)
			script, err := src.SQL(t.Context(), scriptTables())
			if err != nil {
				t.Fatal(err)
			}
			asked := major
			if asked == 0 {
				asked = postgresMajor(t)
			}
			if replaces := strings.Contains(script, "create or replace trigger"); replaces != (asked >= 14) {
				t.Errorf("major %d: create or replace trigger: %v", asked, replaces)
			}
			if drops := strings.Contains(script, "drop trigger if exists"); drops != (asked < 14) {
				t.Errorf("major %d: drop trigger: %v", asked, drops)
			}
			w := connect(t, url)
			w.do(script)
			if err := src.Verify(t.Context(), scriptTables()); err != nil {
				t.Error(err)
			}
			before := strings.Count(w.one(objects), "\n")
			w.do(script)
			if after := strings.Count(w.one(objects), "\n"); after != before {
				t.Errorf("major %d: %d objects, then %d", asked, before, after)
			}
			n := start(t, url, opts, scriptTables()...)
			w.do("insert into posts values (200, 1, 'x'); delete from posts where id = 200; insert into events values (1, 1, 1, ''); update events set region = 2 where id = 1; truncate events_1; insert into towns values (1, 'a', ''); truncate towns")
			want := "insert public.posts ∅→(200,1,=x); insert public.events ∅→(1,1); update public.events (1,1)→(1,2); truncate public.events ∅→∅; insert public.places ∅→(1,a); truncate public.places ∅→∅"
			if got := show(n.awaitChanges(6)); got != want {
				t.Errorf("major %d: got %s, want %s", asked, got, want)
			}
		}
	}
}

// What the server says of itself decides, and so does what it can't.
func TestServerInfo(t *testing.T) {
	url := database(t, postsSQL)
	for word, server := range map[string]ServerInfo{
		"the server is PostgreSQL 12, which is too old":                                   oldServer{major: 12, longest: 63},
		`Namespace: "rowsync" is 3 bytes longer than the 4 that a schema's name may have`: oldServer{major: 15, longest: 4},
		"ask for the server's version: no idea":                                           oldServer{err: errors.New("no idea")},
	} {
		begin(t, url, Options{Server: server}, posts()).awaitError(word)
	}
	// All that is wrong comes together.
	begin(t, url, Options{Server: oldServer{major: 12, longest: 63}}, table("missing")).awaitError("too old", "public.missing")
	if got := connect(t, url).one("select count(*) from pg_namespace where nspname = 'rowsync'"); got != "0" {
		t.Error("something was installed")
	}
}
