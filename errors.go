package rowsync

import (
	"errors"

	"github.com/rowsync/rowsync/internal/load"
	"github.com/rowsync/rowsync/model"
)

var (
	// ErrClosed comes back from what needs a Client, Subscriber or Live that is closed.
	ErrClosed = load.ErrClosed
	// ErrEnded comes back from what would follow changes on a Client whose
	// capture has ended by itself; it stands beside the reason, see [Client.Err].
	ErrEnded = errors.New("rowsync: capture has ended")
	// ErrReset comes back from [Sync] for an event that is a Reset: no patching
	// of the value can make it right, so load it again.
	ErrReset = errors.New("rowsync: changes may have been missed: load the value again")
)

// errNoSubscriber comes back where a nil Subscriber was passed.
var errNoSubscriber = errors.New("no Subscriber: pass one that Client.NewSubscriber returned")

// ModelError is a mistake in the description of a model: it names the type and
// the field and says how to mend it.
type ModelError = model.ModelError
