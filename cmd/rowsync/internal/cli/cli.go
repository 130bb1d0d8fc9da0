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

// Command is a subcommand.
type Command struct {
	Name, Summary string
	// Run runs it with the arguments that follow its name until it is done or
	// ctx ends. The error says how the program exits, see [Report].
	Run func(ctx context.Context, args []string, std Streams) error
}

// Printf prints something that a person reads. An error is of no use to anyone:
// who could not read this will not read that either.
func Printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// Streams are where a subcommand writes: results to Out, all else to Err.
type Streams struct{ Out, Err io.Writer }

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

// Parse parses the flags of a subcommand that takes no other arguments. Its
// help goes to std.Out and comes back as [flag.ErrHelp], a mistake as a
// [*UsageError].
func Parse(flags *flag.FlagSet, args []string, std Streams, about string) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(std.Out, flags, about)
		return err
	case err != nil:
		return &UsageError{Err: err}
	case flags.NArg() > 0:
		return Usagef("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

func help(w io.Writer, flags *flag.FlagSet, about string) {
	Printf(w, "Usage: rowsync %s [flags]\n\n%s\n\n", flags.Name(), about)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		Printf(w, "  %-22s %s", "--"+f.Name+" "+value, text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			Printf(w, " (default %s)", f.DefValue)
		}
		Printf(w, "\n")
	})
}
