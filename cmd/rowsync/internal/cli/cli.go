// Package cli holds what the subcommands of rowsync have in common.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// The exit statuses beside 0.
const (
	StatusFailed = 1
	StatusUsage  = 2
)

// Command is a subcommand: one that does something, or a group of others.
type Command struct {
	Name, Summary string
	// Commands are those of a group, in the order in which its help names them.
	Commands []Command
	// Run runs a command that is no group, with the arguments that follow its
	// name, until it is done or ctx ends. The error says how the program exits,
	// see [Report].
	Run func(ctx context.Context, args []string, std Streams) error
}

// Streams are where a subcommand reads answers from, where it writes results,
// to Out, and all else, to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTerminal and OutTerminal say whether a person sits at In and at Out.
	InTerminal, OutTerminal bool
}

// Printf prints something that a person reads. An error is of no use to anyone:
// who could not read this will not read that either.
func Printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// UsageError is a mistake in the arguments.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the arguments.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{Err: fmt.Errorf(format, args...)}
}

// ErrFailed is returned by a subcommand that has already said what failed.
var ErrFailed = errors.New("failed")

// Report prints the error of the subcommand of that name, if there is
// anything left to say, and returns the exit status.
func Report(w io.Writer, name string, err error) int {
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		Printf(w, "rowsync %s: %v\nrowsync %s -h lists the flags.\n", name, err, name)
		return StatusUsage
	case err != ErrFailed: //nolint:errorlint // wrapped, it has something to say
		Printf(w, "rowsync %s: %v\n", name, err)
	}
	return StatusFailed
}
