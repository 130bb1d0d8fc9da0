package rowsync

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rowsync/rowsync/model"
)

// Options say what a Client watches and how. Every field may be left zero.
type Options struct {
	// Watchers say what is captured. An empty list is valid: the Client then
	// captures nothing, and the Source only looks for what earlier versions of
	// the program have left behind.
	Watchers []Watcher

	// Source captures the changes. Defaults to triggers in the database of the
	// pool that Open is given, see package pgtrigger.
	Source Source

	// Models reads models from struct types. Defaults to a registry of the
	// Client's own, which reads struct tags.
	Models *model.Registry

	// Buffer is how many events may wait in a Subscriber; past it they become
	// one Reset. Defaults to 4096.
	Buffer int

	// CacheSize is how many loaded things are kept to be used again: rows, rows
	// with their associations, lists. Defaults to 10,000.
	CacheSize int

	// CacheTTL is how long they are kept at the longest. Defaults to 5 minutes.
	CacheTTL time.Duration

	// LoadTimeout is how long one statement that loads rows may take. Defaults
	// to 30 seconds.
	LoadTimeout time.Duration

	// Reloads is how many Live values load anew at the same time, after a Reset
	// for example. Defaults to 4.
	Reloads int

	// Logger gets what happens: starts, gaps, errors, and at level Debug what
	// each watcher does: its start, each change, subscriptions; see also Debug
	// of [Watch]. It must be enabled for Debug when Open is called. Defaults to
	// slog.Default().
	Logger *slog.Logger

	// Tracer is called at moments that it has a method for: see [SyncTracer].
	Tracer any
}

// withDefaults returns a copy of o, which may be nil, in which every field is
// set; or everything that is wrong with it.
func (o *Options) withDefaults() (*Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	var errs []error
	atLeast(&errs, "Buffer", &out.Buffer, 1, 4096)
	atLeast(&errs, "CacheSize", &out.CacheSize, 1, 10_000)
	atLeast(&errs, "CacheTTL", &out.CacheTTL, time.Millisecond, 5*time.Minute)
	atLeast(&errs, "LoadTimeout", &out.LoadTimeout, time.Millisecond, 30*time.Second)
	atLeast(&errs, "Reloads", &out.Reloads, 1, 4)
	if out.Models == nil {
		out.Models = model.NewRegistry()
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	return &out, errors.Join(errs...)
}

func atLeast[T int | time.Duration](errs *[]error, name string, value *T, least, standard T) {
	switch {
	case *value == 0:
		*value = standard
	case *value < least:
		*errs = append(*errs, fmt.Errorf("option %s is %v: it must be at least %v, or 0 for %v", name, *value, least, standard))
		*value = standard // so that what else is wrong can be found
	}
}
