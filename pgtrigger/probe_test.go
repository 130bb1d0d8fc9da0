package pgtrigger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/pgtemp"
)

// probe is a node and a writer on a database of their own.
type probe struct {
	*node
	w     *writer
	url   string
	marks int
	seen  int // how many changes told has returned
}

func marks() *capture.Table {
	return &capture.Table{Schema: "public", Name: "marks", Key: []string{"id"}}
}

// watching starts a node on tables, which setup makes.
func watching(t testing.TB, setup string, opts Options, tables ...*capture.Table) *probe {
	t.Helper()
	url := database(t, "create table marks (id int primary key);", setup)
	return &probe{node: start(t, url, opts, append(tables, marks())...), w: connect(t, url), url: url}
}

// table is a table of the schema public with the key id.
func table(name string, columns ...string) *capture.Table {
	return &capture.Table{Schema: "public", Name: name, Key: []string{"id"}, Columns: columns}
}

// told runs sql, one transaction unless it says otherwise, and returns the
// changes that came of it.
func (p *probe) told(sql string) string {
	p.t.Helper()
	return show(p.changesOf(sql))
}

func (p *probe) changesOf(sql string) []capture.Change {
	p.t.Helper()
	p.w.do(sql)
	return p.sinceMark()
}

// sinceMark returns the changes that have been committed since it was last called.
func (p *probe) sinceMark() []capture.Change {
	p.t.Helper()
	p.marks++
	p.w.do(fmt.Sprintf("insert into marks values (%d)", p.marks))
	mark := func(c capture.Change) bool { return c.Table.Name == "marks" }
	p.await("the mark", func() bool {
		return len(p.changes) > p.seen && slices.ContainsFunc(p.changes[p.seen:], mark)
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(p.changes[p.seen:]), mark)
	p.seen = len(p.changes)
	return list
}

// expect runs sql and compares what came of it: changes as show writes them,
// without "public.".
func (p *probe) expect(sql string, want ...string) {
	p.t.Helper()
	got := strings.ReplaceAll(p.told(sql), "public.", "")
	if want := strings.Join(want, "; "); got != want {
		p.t.Errorf("%s\n got %s\nwant %s", sql, got, want)
	}
	p.expectResets(0)
}

// expectSet is expect for changes that come in an order that is not promised:
// the triggers that two definitions have on one table fire by name.
func (p *probe) expectSet(sql string, want ...string) {
	p.t.Helper()
	got := strings.Split(strings.ReplaceAll(p.told(sql), "public.", ""), "; ")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("%s\n got %q\nwant %q", sql, got, want)
	}
	p.expectResets(0)
}

// expectResets checks how many resets have come, and forgets them.
func (p *probe) expectResets(count int) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.resets) != count {
		p.t.Errorf("%d resets, want %d: %v", len(p.resets), count, p.resets)
	}
	p.resets = nil
}

// awaitReset waits for resets of the tables, and forgets all that have come.
func (p *probe) awaitReset(names ...string) {
	p.t.Helper()
	p.await(fmt.Sprintf("resets of %v", names), func() bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(p.resets, func(r capture.Reset) bool { return r.Table != nil && r.Table.Name == name && r.Err == nil })
		})
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets = nil
}

// triggersOn says how many of rowsync's triggers a table has.
func (p *probe) triggersOn(table string) string {
	p.t.Helper()
	return p.w.one("select count(*) from pg_trigger where tgname like 'rowsync!_%' escape '!' and tgrelid = '" + table + "'::regclass")
}

// refuses checks that the server, an old one, has no such statement.
func (p *probe) refuses(sql string) {
	p.t.Helper()
	if _, err := p.w.Exec(p.t.Context(), sql); err == nil || !strings.Contains(err.Error(), "syntax error") {
		p.t.Errorf("%s: %v, want a syntax error", sql, err)
	}
}

// postgresMajor is the major version of the tests' server.
func postgresMajor(t testing.TB) int {
	t.Helper()
	return pgtemp.Shared(t).Major()
}
