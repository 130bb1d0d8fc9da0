package pgtrigger

import (
	"context"
	"log/slog"
	"time"
)

// tellEvery is how often the same thing is logged at most.
const tellEvery = 10 * time.Second

// often logs what may come often: of each kind one line in tellEvery, which
// says how many were left out before it.
type often struct {
	log   *slog.Logger
	kinds map[string]*told
}

type told struct {
	at      time.Time
	leftOut int
}

// tell logs a line of the kind, or counts it, and reports whether it did log.
func (o *often) tell(level slog.Level, kind, message string, args ...any) bool {
	if o.kinds == nil {
		o.kinds = map[string]*told{}
	}
	k := o.kinds[kind]
	if k == nil {
		k = &told{}
		o.kinds[kind] = k
	}
	now := time.Now()
	if !k.at.IsZero() && now.Sub(k.at) < tellEvery {
		k.leftOut++
		return false
	}
	if k.leftOut > 0 {
		args = append(args, "left_out", k.leftOut)
	}
	*k = told{at: now}
	o.log.Log(context.Background(), level, message, args...) //nolint:sloglint // the messages of those who call are literals
	return true
}
