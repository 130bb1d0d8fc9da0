package rowsync

import (
	"context"
	"iter"
)

// Live is a value that keeps itself in step with the database: it subscribes,
// loads, takes in every event, and loads anew after a Reset. Nothing that is
// committed between its load and its subscription is missed. Make one with
// [Query] or [Follow], and close it when nobody needs it any more: until then it
// is maintained, whether anybody looks or not. Its methods may be called from
// any goroutine.
//
// Identical queries share one maintained value; each has a Live of its own, with
// which it reads that value and gives it back, see [Query].
type Live[T any] struct{ *handle }

// Value returns the value as it now is, and once the Live is closed as it was
// then. It is immutable: it may be read from any goroutine and for as long as
// you like, and nobody may alter it, for others may hold it too.
func (l *Live[T]) Value() T { return valueOf[T](l.snapshot()) }

// Err returns why the value is behind the database, or nil. The value from
// before the error is kept, and the Live tries again by itself, at first after a
// tenth of a second, then less often, down to once in 5 seconds. Only
// [ErrEnded] and [ErrClosed] stay: the first when capture has ended for good, the
// second when the Client was closed.
func (l *Live[T]) Err() error { return l.snapshot().err }

// Position returns how far the value has come: it shows every change up to
// there that concerns it. It may show later ones too, and it does not move while
// nothing happens that concerns the value.
func (l *Live[T]) Position() Position { return l.snapshot().position }

// Changes returns the value as it is now, at once, and then each newer one: a
// caller that is slower than the changes gets the newest and does not see those
// between. When the Live cannot follow, the value that it keeps comes with the
// error, once for each error that reads differently.
//
// It ends when ctx ends, with ctx's error; when this Live is closed, without an
// error; and when the Client is closed, after [ErrClosed]. Several callers may
// read at the same time, each at its own speed.
func (l *Live[T]) Changes(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var seen uint64
		for {
			s, next, open := l.watch()
			switch {
			case !open:
				return
			case ctx.Err() != nil:
				yield(valueOf[T](s), context.Cause(ctx))
				return
			case s.version != seen:
				seen = s.version
				if !yield(valueOf[T](s), s.err) {
					return
				}
				continue
			case s.last:
				return
			}
			select {
			case <-next:
			case <-l.closed:
			case <-ctx.Done():
			}
		}
	}
}

// Close ends the Live and its Changes at once; others that share its value go on.
// What is under way is given up, and when Close returns, nothing that was the
// Live's alone runs any more: so do not call it from the Live's own load
// function. Value goes on to return the last value. Close may be called more than
// once.
func (l *Live[T]) Close() { l.close() }

func valueOf[T any](s *snapshot) T {
	v, _ := s.value.(T)
	return v
}
