package rowsync_test

import (
	"context"
	"reflect"

	"github.com/rowsync/rowsync"
)

// plant does for one of the types what takes a type parameter.
type plant interface {
	watch(paths []string) rowsync.Watcher
	anyOp() rowsync.Target
	query(ctx context.Context, c *rowsync.Client, h *heldValue) (holder, error)
	follow(ctx context.Context, c *rowsync.Client, h *heldValue, key keyKind) (holder, error)
	byHand(c *rowsync.Client, h *heldValue, key keyKind) handful
}

type plantOf[T any] struct{}

var plants = [4]plant{plantOf[Ash]{}, plantOf[Elm]{}, plantOf[Fir]{}, plantOf[Oak]{}}

func (plantOf[T]) watch(paths []string) rowsync.Watcher {
	return rowsync.WatchModel[T](rowsync.With(paths...))
}

func (plantOf[T]) anyOp() rowsync.Target { return rowsync.On[T](rowsync.AnyOp) }

func (plantOf[T]) query(ctx context.Context, c *rowsync.Client, h *heldValue) (holder, error) {
	l, err := rowsync.Query[T](ctx, c, h.Select)
	return holdLiveValue(l, h, false, err)
}

func (plantOf[T]) follow(ctx context.Context, c *rowsync.Client, h *heldValue, key keyKind) (holder, error) {
	load := func(ctx context.Context) ([]*T, error) { return rowsync.LoadAll[T](ctx, c, h.Select) }
	switch h.shape {
	case valueList:
		return followAs(ctx, c, h, reshaped(load, asValues))
	case onePointer:
		return followAs(ctx, c, h, reshaped(load, asPointer))
	case oneValue:
		return followAs(ctx, c, h, reshaped(load, asValue))
	case pointerMap, valueMap:
		switch key {
		case 0:
			return followMap(ctx, c, h, load, numberKey)
		case 1:
			return followMap(ctx, c, h, load, textKey)
		case 2:
			return followMap(ctx, c, h, load, uuidKey)
		}
		return followMap(ctx, c, h, load, pairKeyOf)
	}
	return followAs(ctx, c, h, load)
}

func followAs[V any](ctx context.Context, c *rowsync.Client, h *heldValue, load func(context.Context) (V, error)) (holder, error) {
	l, err := rowsync.Follow(ctx, c, load, rowsync.With(h.With...))
	return holdLiveValue(l, h, true, err)
}

func followMap[K comparable, T any](ctx context.Context, c *rowsync.Client, h *heldValue, load func(context.Context) ([]*T, error), key func(*Traits) K) (holder, error) {
	if h.shape == valueMap {
		return followAs(ctx, c, h, reshaped(load, asValueMap[K, T](key)))
	}
	return followAs(ctx, c, h, reshaped(load, asPointerMap[K, T](key)))
}

func (plantOf[T]) byHand(c *rowsync.Client, h *heldValue, key keyKind) handful {
	load := func(ctx context.Context) ([]*T, error) { return rowsync.LoadAll[T](ctx, c, h.Select) }
	switch h.shape {
	case valueList:
		return &handfulOf[[]T]{heldValue: h, read: reshaped(load, asValues)}
	case onePointer:
		return &handfulOf[*T]{heldValue: h, read: reshaped(load, asPointer)}
	case oneValue:
		return &handfulOf[T]{heldValue: h, read: reshaped(load, asValue)}
	case pointerMap, valueMap:
		switch key {
		case 0:
			return handfulMap(h, load, numberKey)
		case 1:
			return handfulMap(h, load, textKey)
		case 2:
			return handfulMap(h, load, uuidKey)
		}
		return handfulMap(h, load, pairKeyOf)
	}
	return &handfulOf[[]*T]{heldValue: h, read: load}
}

func handfulMap[K comparable, T any](h *heldValue, load func(context.Context) ([]*T, error), key func(*Traits) K) handful {
	if h.shape == valueMap {
		return &handfulOf[map[K]T]{heldValue: h, read: reshaped(load, asValueMap[K, T](key))}
	}
	return &handfulOf[map[K]*T]{heldValue: h, read: reshaped(load, asPointerMap[K, T](key))}
}

// The keys of maps, by keyKind.

// pairKey is a key of two columns.
type pairKey struct {
	KI int64
	KT string
}

func numberKey(r *Traits) int64 { return r.KI }

func textKey(r *Traits) string { return r.KT }

func uuidKey(r *Traits) [16]byte { return r.KU }

func pairKeyOf(r *Traits) pairKey { return pairKey{r.KI, r.KT} }

// reshaped makes a load function of another shape.
func reshaped[T, V any](load func(context.Context) ([]*T, error), as func([]*T) V) func(context.Context) (V, error) {
	return func(ctx context.Context) (V, error) {
		rows, err := load(ctx)
		return as(rows), err
	}
}

func asValues[T any](rows []*T) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = *r
	}
	return out
}

func asPointer[T any](rows []*T) *T {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

func asValue[T any](rows []*T) (none T) {
	if len(rows) == 0 {
		return none
	}
	return *rows[0]
}

func asValueMap[K comparable, T any](key func(*Traits) K) func(rows []*T) map[K]T {
	return func(rows []*T) map[K]T {
		out := make(map[K]T, len(rows))
		for _, r := range rows {
			out[key(traitsOf(reflect.ValueOf(r).Elem()))] = *r
		}
		return out
	}
}

func asPointerMap[K comparable, T any](key func(*Traits) K) func(rows []*T) map[K]*T {
	return func(rows []*T) map[K]*T {
		out := make(map[K]*T, len(rows))
		for _, r := range rows {
			out[key(traitsOf(reflect.ValueOf(r).Elem()))] = r
		}
		return out
	}
}
