package rowsync

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/rowsync/rowsync/internal/catalog"
	"github.com/rowsync/rowsync/model"
)

// Watcher says what a Client captures: a [Watch], what [WatchModel] returns, or
// [Watchers], a list of them.
type Watcher interface {
	// draw enters what the watcher needs, or returns all that is wrong with it.
	draw(b *blueprint) error
}

// Watchers is a list of watchers that is a Watcher itself, so that the lists of
// an application's parts can be put together into one.
type Watchers []Watcher

func (ws Watchers) draw(b *blueprint) error {
	var errs []error
	for _, w := range ws {
		if w == nil {
			errs = append(errs, errors.New("watcher is nil: give a rowsync.Watch or what rowsync.WatchModel returns"))
			continue
		}
		errs = append(errs, w.draw(b))
	}
	return errors.Join(errs...)
}

// WatchModel watches the table of T's model for every operation, and with the
// option [With] every table that the paths lead to, join tables too. It is what
// values need that [Sync] or a [Live] keeps in step. Watchers of one model that
// WatchModel made add up.
//
// T is a struct type; see package model for how its fields name columns and
// associations. A T that is no model makes [Open] fail with a [*ModelError].
func WatchModel[T any](opts ...WatchOption) Watcher {
	w := &modelWatcher{typ: reflect.TypeFor[T]()}
	for _, o := range opts {
		if o != nil {
			o.watch(w)
		}
	}
	return w
}

// modelWatcher is what WatchModel returns.
type modelWatcher struct {
	typ    reflect.Type
	paths  []string
	extra  []string
	prefix *string
}

func (w *modelWatcher) draw(b *blueprint) error {
	m, err := modelOf(b.registry, w.typ)
	if err != nil {
		return err
	}
	tree, err := m.Tree(w.paths...)
	if err != nil {
		return err
	}
	b.addTree(tree)
	extra := &b.models[m].watch.ExtraColumns
	for _, column := range w.extra {
		if !slices.Contains(*extra, column) {
			*extra = append(*extra, column)
		}
	}
	if w.prefix != nil {
		return w.drawLabelled(b, tree)
	}
	return nil
}

// drawLabelled enters a watcher with a label for each table of the tree.
func (w *modelWatcher) drawLabelled(b *blueprint, tree *model.Tree) error {
	var errs []error
	refers := map[*model.Model][]string{}
	for _, branch := range tree.All() {
		for _, a := range append([]*model.Association{branch.Association}, branch.Association.Through...) {
			if a.Kind == model.BelongsTo {
				refers[a.Owner] = append(refers[a.Owner], columnNames(a.OwnerColumns)...)
			}
		}
	}
	for _, m := range tree.Models() {
		name, extra := tableName(m), refers[m]
		if m == tree.Model {
			extra = append(extra, w.extra...)
		}
		errs = append(errs, b.addLabelled(*w.prefix, name, Watch{Model: reflect.Zero(m.Type).Interface(), ExtraColumns: extra}))
	}
	for _, a := range tree.Joins() {
		name := catalog.Name{Schema: a.Join.Schema, Table: a.Join.Table}
		errs = append(errs, b.addLabelled(*w.prefix, name, Watch{Schema: name.Schema, Table: name.Table}))
	}
	return errors.Join(errs...)
}

// addLabelled enters a watcher whose label is a prefix and its table, or adds
// to one that is there already what is new. The columns by which associations
// find rows of the table travel with it.
func (b *blueprint) addLabelled(prefix string, name catalog.Name, w Watch) error {
	w.Label = prefix + name.String()
	if name.Schema == "public" {
		w.Label = prefix + name.Table
	}
	w.ExtraColumns = slices.Concat(append([][]string{w.ExtraColumns}, b.lookups[name]...)...)
	for _, known := range b.watches {
		if known.prefixed && known.name == name && known.watch.Label == w.Label {
			known.watch.ExtraColumns = unique(known.watch.ExtraColumns, w.ExtraColumns)
			return nil
		}
	}
	w.ExtraColumns = unique(w.ExtraColumns)
	if err := w.draw(b); err != nil {
		return err
	}
	b.watches[len(b.watches)-1].prefixed = true
	return nil
}

// unique puts lists together, each name once.
func unique(lists ...[]string) []string {
	var out []string
	for _, name := range slices.Concat(lists...) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// WatchOption is an option of [WatchModel].
type WatchOption interface{ watch(w *modelWatcher) }

// Columns names columns; see [Extra].
type Columns []string

// Extra names columns of the model that travel with each change beside the key:
// see ExtraColumns of [Watch].
func Extra(columns ...string) Columns { return columns }

func (c Columns) watch(w *modelWatcher) { w.extra = append(w.extra, c...) }

// LabelPrefix names what a watcher tells apart; see [Labelled].
type LabelPrefix string

// Labelled makes [WatchModel] tell of each table on its paths by a label too:
// the prefix, which may be "", and the table's name, such as "blog.posts", with the table's schema
// before the name unless it is public. Follow it with [Label]. The columns by
// which the associations find their rows travel with it.
func Labelled(prefix string) LabelPrefix { return LabelPrefix(prefix) }

func (p LabelPrefix) watch(w *modelWatcher) {
	prefix := string(p)
	w.prefix = &prefix
}

// modelOf returns the model of a type parameter, which must be the struct type
// itself.
func modelOf(models *model.Registry, t reflect.Type) (*model.Model, error) {
	m, err := models.Of(t)
	if err == nil && m.Type != t {
		return nil, fmt.Errorf("%s is not a struct type: name %s", t, m.Type)
	}
	return m, err
}
