package rowsync

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/rowsync/rowsync/model"
)

// Follow returns a Live over a load function of the caller's own, which may use
// any means to read a struct of a watched model, a pointer to one, or a slice or
// map of either, with the associations that [With] names loaded in it. Every
// change that its reads could see counts, so it must read from the primary, and
// not from a cache.
//
// The function is called now, in the caller's goroutine; after each Reset; and
// soon after rows of the model's table have changed, for only it knows which of
// them it would return. Until it has answered, the rows that are held are brought
// up to date without it, and so are changes of all other tables. A single row
// that is deleted stays until then, and after that there is what the function
// returns: nil, a zero struct, or the last row and the error of [Live.Err].
//
// Changes that come within 50 ms are one call, and after a call comes a pause as
// long as the call took (5 s at most), so that under constant changes at most
// half of the time goes into calls. Calls after the first are made one at a time,
// in a goroutine of the Live, with a context that ends with the Live; at most
// Options.Reloads of all Lives run at once. A value that is equal to the one held,
// as [reflect.DeepEqual] has it, is no change.
//
// What the function returned must not be altered any more, neither by it. The
// function may itself open a Live. Lives by Follow are never shared.
//
// An error of the first load is returned; of later ones see [Live.Err]. ctx
// bounds only the first load; the Live runs until it or its Client is closed.
// Its values, but not its end, come with the context of later calls.
func Follow[T any](ctx context.Context, c *Client, loadValue func(ctx context.Context) (T, error), opts ...LiveOption) (*Live[T], error) {
	if loadValue == nil {
		return nil, errors.New("follow: no load function")
	}
	l, err := newLive(ctx, c, reflect.TypeFor[T](), liveConfigOf(opts), livePlan{
		load: func(ctx context.Context, _ *model.Tree) (reflect.Value, error) {
			v, err := loadValue(ctx)
			return reflect.ValueOf(&v).Elem(), err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	return &Live[T]{newHandle(l, l.close)}, nil
}
