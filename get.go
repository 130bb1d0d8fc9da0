package rowsync

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/internal/mapper"
)

// Get returns the row that the event is about, as it is now, with the
// associations that paths name, see [With]; nil if there is no such row any
// more. T is the struct type of a watched model of the event's table. If the
// event gave the row another key, it is the row of the new one.
//
// However many ask for a row on account of one event, it is read once for each
// set of paths. The row is shared with others and must be treated as immutable.
//
// For an event that is a Reset, the error is [ErrReset].
func Get[T any](ctx context.Context, sub *Subscriber, ev Event, paths ...string) (*T, error) {
	if sub == nil {
		return nil, errNoSubscriber
	}
	v, err := sub.get(ctx, reflect.TypeFor[T](), &ev, paths)
	if err != nil || !v.IsValid() {
		return nil, err
	}
	row, _ := reflect.TypeAssert[*T](v.Addr())
	return row, nil
}

func (s *Subscriber) get(ctx context.Context, t reflect.Type, ev *Event, paths []string) (reflect.Value, error) {
	var none reflect.Value
	if ev.Reset != nil {
		return none, ErrReset
	}
	if err := s.open(); err != nil {
		return none, err
	}
	m, err := modelOf(s.client.opts.Models, t)
	if err != nil {
		return none, fmt.Errorf("get: %w", err)
	}
	tree, err := m.Tree(paths...)
	if err != nil {
		return none, fmt.Errorf("get: %w", err)
	}
	plan, err := s.client.schema.plans.Bind(tree)
	if err != nil {
		return none, fmt.Errorf("get: %w", err)
	}
	if ev.Table == nil || plan.Table.Capture != ev.Table {
		return none, fmt.Errorf("get: the event is about a row of table %v, not of model %s", ev.Table, m)
	}
	lookup, ok := s.client.schema.index.Lookup(plan.Table, columnNames(m.Key))
	if !ok {
		return none, fmt.Errorf("get: the key of model %s (%s) does not travel with the changes of table %s", m, strings.Join(columnNames(m.Key), ", "), ev.Table)
	}
	key, ok := plan.Table.KeyOf(lookup, ev.New)
	if !ok {
		if key, ok = plan.Table.KeyOf(lookup, ev.Old); !ok {
			return none, nil
		}
	}
	found, err := s.loader().Bundles(ctx, tree, load.Wants([]mapper.Key{key}, ev.Position.Seq), nil)
	if err != nil {
		return none, fmt.Errorf("get: %w", err)
	}
	row := found[key].Value
	if see := s.cfg.see(s.client); see != nil && row.IsValid() {
		kept, _, err := plan.Prune(ctx, see, []reflect.Value{row})
		if err != nil || len(kept) == 0 {
			return none, err
		}
		row = kept[0]
	}
	return row, nil
}
