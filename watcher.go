package rowsync

import (
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/model"
)

// Watcher says what a Client captures. Make one with [WatchModel].
type Watcher struct {
	typ   reflect.Type
	paths []string
}

// WatchModel watches the table of T's model, and with the option [With] every
// table that the paths lead to, join tables too. Watchers of one model add up.
//
// T is a struct type; see package model for how its fields name columns and
// associations. A T that is no model makes [Open] fail with a [*ModelError].
func WatchModel[T any](opts ...WatchOption) Watcher {
	w := Watcher{typ: reflect.TypeFor[T]()}
	for _, o := range opts {
		if o != nil {
			o.watch(&w)
		}
	}
	return w
}

// WatchOption is an option of [WatchModel].
type WatchOption interface{ watch(w *Watcher) }

// SubscribeOption is an option of the functions that subscribe to a value.
type SubscribeOption interface{ subscribe(c *subscribeConfig) }

type subscribeConfig struct{ paths []string }

// Paths names associations to take in; see [With].
type Paths []string

// With takes in associations: the names of their fields, joined by dots where
// one leads on from another, such as "Tags" and "Author.FavouriteTags". Every
// association on the way is taken in too.
func With(paths ...string) Paths { return paths }

func (p Paths) watch(w *Watcher)             { w.paths = append(w.paths, p...) }
func (p Paths) subscribe(c *subscribeConfig) { c.paths = append(c.paths, p...) }

// tree returns the watcher's model with everything its paths lead to.
func (w Watcher) tree(models *model.Registry) (*model.Tree, error) {
	if w.typ == nil {
		return nil, fmt.Errorf("watcher without a model: make watchers with rowsync.WatchModel")
	}
	m, err := modelOf(models, w.typ)
	if err != nil {
		return nil, err
	}
	return m.Tree(w.paths...)
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
