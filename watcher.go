package rowsync

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

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
	typ   reflect.Type
	paths []string
	extra []string
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
	return nil
}

// WatchOption is an option of [WatchModel].
type WatchOption interface{ watch(w *modelWatcher) }

// Columns names columns; see [Extra].
type Columns []string

// Extra names columns of the model that travel with each change beside the key:
// see ExtraColumns of [Watch].
func Extra(columns ...string) Columns { return columns }

func (c Columns) watch(w *modelWatcher) { w.extra = append(w.extra, c...) }

// modelOf returns the model of a type parameter, which must be the struct type
// itself.
func modelOf(models *model.Registry, t reflect.Type) (*model.Model, error) {
	m, err := models.Of(t)
	if err == nil && m.Type != t {
		return nil, fmt.Errorf("%s is not a struct type: name %s", t, m.Type)
	}
	return m, err
}
