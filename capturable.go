package rowsync

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/internal/mapper"
	"github.com/rowsync/rowsync/internal/route"
)

// capturable says why no Source can capture a relation, if so.
func capturable(t *catalog.Table) error {
	switch {
	case t.Persistence == 't':
		return fmt.Errorf("table %s is temporary: only its own session sees it, so its changes cannot be captured", t.Name)
	case t.Kind == 'v':
		return fmt.Errorf("%s is a view: watch the tables that it reads", t.Name)
	case t.Kind == 'm':
		return fmt.Errorf("%s is a materialized view: watch the tables that it reads", t.Name)
	case t.Kind == 'f':
		return fmt.Errorf("%s is a foreign table: watch it in the database where it lives", t.Name)
	}
	return nil
}

// captureTable gathers what must be captured of one table.
type captureTable struct {
	found    *catalog.Table
	key      []string
	lookups  [][]string
	columns  []string
	compared []string
	ops      Op
	// all says that some watcher tells of every update.
	all bool
}

// add adds what a watcher needs.
func (c *captureTable) add(w *watched) {
	if len(c.key) == 0 && len(w.watch.Key) > 0 {
		c.key = w.key
	}
	c.columns = slices.Concat(c.columns, w.key, w.extra)
	c.compared = append(c.compared, w.triggers...)
	c.ops |= w.ops
	c.all = c.all || w.ops.Has(Updated) && len(w.triggers) == 0
}

// enter enters the table into the index, with every column that is needed.
func (c *captureTable) enter(x *route.Index) (*route.Table, error) {
	t := c.found
	if len(c.key) == 0 {
		return nil, fmt.Errorf("table %s has no primary key, so a changed row cannot be named: add one (alter table %s add primary key …)", t.Name, t.Name)
	}
	out := &Table{Schema: t.Name.Schema, Name: t.Name.Table, Key: c.key, OnlyChanged: !c.all}
	if c.ops != AnyOp {
		out.Ops = c.ops
	}
	var errs []error
	for _, name := range slices.Concat(append([][]string{c.key, c.columns}, c.lookups...)...) {
		switch {
		case t.Column(name) == nil:
			errs = append(errs, fmt.Errorf("table %s has no column %q; it has: %s", t.Name, name, strings.Join(t.ColumnNames(), ", ")))
		case !slices.Contains(c.key, name) && !slices.Contains(out.Columns, name):
			out.Columns = append(out.Columns, name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, name := range c.compared {
		if !slices.Contains(c.key, name) && !slices.Contains(out.Columns, name) && !slices.Contains(out.Compared, name) {
			out.Compared = append(out.Compared, name)
		}
	}
	// What is captured names the triggers, so it must not depend on the order of watchers.
	slices.Sort(out.Columns)
	slices.Sort(out.Compared)
	canon := make([]func(string) string, 0, len(c.key)+len(out.Columns))
	for _, name := range slices.Concat(c.key, out.Columns) {
		canon = append(canon, mapper.Canon(t.Column(name)))
	}
	rt := x.Add(out, canon)
	for _, columns := range c.lookups {
		x.AddLookup(rt, columns)
	}
	return rt, nil
}
