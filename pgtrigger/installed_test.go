package pgtrigger

import (
	"slices"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
)

func TestInstalled(t *testing.T) {
	url := database(t, postsSQL, "create table other (id int primary key)")
	src := New(newPool(t, url), nil)
	if list, err := src.Installed(t.Context()); err != nil || list != nil {
		t.Errorf("Installed: %v, %v, want none", list, err)
	}
	table := posts()
	n := start(t, url, Options{}, table)
	start(t, url, Options{}, &capture.Table{Schema: "public", Name: "other", Key: []string{"id"}}).stop()
	w := connect(t, url)
	w.awaitOne(readers, "1")
	w.do("drop table other; alter table posts disable trigger all")
	list, err := src.Installed(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("Installed: %v, %v", list, err)
	}
	other, one := list[0], list[1]
	if other.Table != "other" || other.TableExists || len(other.Triggers) > 0 || len(other.Readers) > 0 {
		t.Errorf("other: %+v", other)
	}
	details, _ := n.src.Describe(table)
	if one.Table != "posts" || !one.TableExists || one.Function != details.Function ||
		!slices.Equal(one.Key, []string{"id"}) || !slices.Equal(one.Columns, []string{"author_id"}) || !one.Ops.Has(capture.Update) {
		t.Errorf("posts: %+v", one)
	}
	for _, trigger := range one.Triggers {
		if trigger.Enabled || trigger.Table != "posts" || !slices.Contains(details.Triggers, trigger.Name) {
			t.Errorf("trigger %+v", trigger)
		}
	}
	if len(one.Triggers) != len(details.Triggers) {
		t.Errorf("%d triggers, want %v", len(one.Triggers), details.Triggers)
	}
	if len(one.Readers) != 1 || one.Readers[0].PID == 0 || one.Readers[0].User != "postgres" || one.Readers[0].Since.IsZero() {
		t.Errorf("readers %v", one.Readers)
	}
}

func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		words     []string
	}{
		{name: "whole"},
		{name: "nothing there", sql: "drop schema rowsync cascade", words: []string{`schema "rowsync"`, "trigger rowsync_", "function"}},
		{name: "trigger dropped", sql: `do $$ declare n text; begin
			select tgname into n from pg_trigger where tgname like 'rowsync%update'; execute format('drop trigger %I on posts', n); end $$`,
			words: []string{"trigger rowsync_", "_update on public.posts"}},
		{name: "trigger disabled", sql: "alter table posts disable trigger all", words: []string{"_insert on public.posts (it is disabled)"}},
		{name: "function altered", sql: `do $$ declare f regprocedure; begin
			select oid into f from pg_proc where proname like 'capture!_%' escape '!';
			execute format('create or replace function rowsync.%I() returns trigger language plpgsql as %L',
				(select proname from pg_proc where oid = f), 'begin return null; end'); end $$`,
			words: []string{"function \"rowsync\".\"capture_"}},
		{name: "journal altered", sql: "alter table rowsync.journal drop column now", words: []string{`table "rowsync"."journal" has the columns`}},
		{name: "table gone", sql: "drop table posts", words: []string{"public.posts: the database has no such table"}},
		{name: "column gone", sql: "alter table posts drop author_id", words: []string{`it has no column "author_id"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := database(t, postsSQL)
			n := start(t, url, Options{}, posts())
			n.stop()
			w := connect(t, url)
			w.do("begin; " + c.sql + "; commit")
			before := w.one("select coalesce((" + objects + "), '')")
			err := n.src.Verify(t.Context(), tablesOf(posts()))
			checkError(t, err, c.words...)
			if after := w.one("select coalesce((" + objects + "), '')"); after != before {
				t.Errorf("Verify altered something: before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

// checkError makes sure that the error holds all the words; without words, that
// there is none.
func checkError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		if len(words) > 0 {
			t.Errorf("no error, want one that says %q", words)
		}
		return
	}
	if len(words) == 0 {
		t.Errorf("error %v, want none", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// Check says everything at once and installs nothing.
func TestCheck(t *testing.T) {
	url := database(t, postsSQL)
	missing := &capture.Table{Schema: "public", Name: "missing", Key: []string{"id"}}
	wrong := posts()
	wrong.Columns = []string{"nonsense"}
	w := connect(t, url)
	w.do(createWeak)

	src := New(newPool(t, url), nil)
	checkError(t, src.Check(t.Context(), tablesOf(posts())))
	checkError(t, src.Check(t.Context(), nil))
	checkError(t, src.Check(t.Context(), tablesOf(missing, wrong)), "public.missing", `it has no column "nonsense"`)
	checkError(t, New(src.pool, &Options{VerifyOnly: true}).Check(t.Context(), tablesOf(posts())), "VerifyOnly", `schema "rowsync"`)
	checkError(t, New(src.pool, &Options{MaxRows: -1, MaxBacklog: -1}).Check(t.Context(), nil), "MaxRows", "MaxBacklog")
	weak := New(newPool(t, weakURL(t, w, url)), nil)
	checkError(t, weak.Check(t.Context(), tablesOf(posts(), missing)), "public.missing", "may not create the schema", "may not create triggers on public.posts")
	if got := w.one("select count(*) from pg_namespace where nspname = 'rowsync'"); got != "0" {
		t.Error("something was installed")
	}
}

// weakURL lets a role without privileges connect.
func weakURL(t *testing.T, w *writer, url string) string {
	t.Helper()
	w.do("do $$ begin create role feeble login; exception when duplicate_object or unique_violation then end $$")
	return url + "&user=feeble"
}

func TestDescribe(t *testing.T) {
	url := database(t, postsSQL)
	table := posts()
	n := newNode(t, url, Options{Logger: quiet()})
	if _, ok := n.src.Describe(table); ok {
		t.Error("a table is described that is not captured")
	}
	n.run(tablesOf(table))
	n.await("the start", func() bool { return n.started })
	details, ok := n.src.Describe(table)
	if !ok || !strings.HasPrefix(details.Function, `"rowsync"."capture_`) || len(details.Triggers) != 4 || !strings.HasPrefix(details.Channel, "rowsync_") {
		t.Errorf("details %+v, %v", details, ok)
	}
	if _, ok := n.src.Describe(posts()); ok {
		t.Error("a table is described that is not captured")
	}
	n.stop()
	if _, ok := n.src.Describe(table); ok {
		t.Error("a table is described that is not captured any more")
	}
}
