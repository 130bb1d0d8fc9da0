package model

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// Registry makes and keeps the models of struct types. Its zero value is ready
// for use, and its methods may be called from any goroutine. A Registry must
// not be copied after its first use.
type Registry struct {
	// building is held while models are made or added, so that each type gets
	// one model.
	building sync.Mutex
	// models maps reflect.Type to *Model. It holds finished models only, and
	// so it is read without a lock.
	models sync.Map
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry { return new(Registry) }

// Of returns the model of T, which is a struct type, or a pointer or a slice of
// one; see [Registry.Of].
func Of[T any](r *Registry) (*Model, error) { return r.Of(reflect.TypeFor[T]()) }

// Of returns the model of a struct type, or of the struct type that a pointer,
// a slice or a slice of pointers leads to. It is the same Model each time. The
// models of all types that its associations reach are made with it.
//
// If there are mistakes in any of these types, Of returns all of them, each a
// [*ModelError], joined into one error, and keeps no model.
//
// Of calls the TableName methods of the types; they must not use the Registry.
func (r *Registry) Of(t reflect.Type) (*Model, error) {
	s, err := structType(t)
	if err != nil {
		return nil, err
	}
	if m := r.lookup(s); m != nil {
		return m, nil
	}
	r.building.Lock()
	defer r.building.Unlock()
	if m := r.lookup(s); m != nil {
		return m, nil
	}
	b := &builder{existing: r.lookup, drafts: map[reflect.Type]*draft{}, inReach: map[*draft]bool{}}
	models, err := b.build(s)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		r.models.Store(m.Type, m)
	}
	return models[0], nil
}

// Add takes a model over that was made elsewhere, such as by an adapter, and
// every model that its associations reach: from then on, Of returns it for its
// type. The models must not be altered any more.
//
// Add checks that they are whole. It returns all mistakes, each a
// [*ModelError], joined into one error, and then takes none of them. To add a
// model again has no effect; another model of the same type is an error.
func (r *Registry) Add(m *Model) error {
	r.building.Lock()
	defer r.building.Unlock()
	models := reachable(m)
	added := map[reflect.Type]*Model{}
	var errs []error
	for _, m := range models {
		for _, e := range verify(m) {
			errs = append(errs, e)
		}
		if m == nil || m.Type == nil {
			continue
		}
		other := r.lookup(m.Type)
		if other == nil {
			other = added[m.Type]
		}
		if other != nil && other != m {
			errs = append(errs, fault("add models before the first use of their types, and one for each", "there is another model of this type, %s", other.Name()).at(m.Type, ""))
		}
		added[m.Type] = m
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, m := range models {
		r.models.Store(m.Type, m)
	}
	return nil
}

func (r *Registry) lookup(t reflect.Type) *Model {
	m, ok := r.models.Load(t)
	if !ok {
		return nil
	}
	return m.(*Model)
}

// structType returns the struct type that t is, or leads to.
func structType(t reflect.Type) (reflect.Type, error) {
	if t == nil {
		return nil, fault("give a struct type, or a pointer or slice of one", "there is no type").at(nil, "")
	}
	s := t
	if s.Kind() == reflect.Pointer {
		s = s.Elem()
	}
	if shape, ok := shapeOf(s); ok {
		return shape.target, nil
	}
	return nil, fault("give a struct type, or a pointer or slice of one", "%s is no model", fmt.Sprint(t)).at(t, "")
}
