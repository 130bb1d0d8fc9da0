package rowsync

import (
	"context"
	"time"
)

// SyncTracer is what Options.Tracer may implement to hear of values that took
// in events.
type SyncTracer interface {
	// TraceSync is called after a value took in events, by [Sync] or in a
	// Live, from the goroutine that did it: it must be quick.
	TraceSync(ctx context.Context, s SyncTrace)
}

// SyncTrace tells of one value that took in events.
type SyncTrace struct {
	// Events are those that were taken in, in order. They must not be altered.
	Events []*Event
	// Took is how long that took, loads included.
	Took time.Duration
	// Err is what failed, if anything; the value is then as it was.
	Err error
}
