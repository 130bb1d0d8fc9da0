package cli

import (
	"errors"
	"flag"
	"io"
	"strings"
)

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

// IsSet reports whether the arguments named a flag.
func IsSet(flags *flag.FlagSet, name string) bool {
	set := false
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// CheckNamespace returns what is wrong with the flag --namespace.
func CheckNamespace(name string) error {
	const longest = 63 // bytes that PostgreSQL keeps of a name
	switch {
	case name == "":
		return Usagef("--namespace is empty: give the name of a schema")
	case strings.HasPrefix(name, "pg_"):
		return Usagef("--namespace is %q: PostgreSQL keeps names that begin with pg_ for itself", name)
	case len(name) > longest:
		return Usagef("--namespace is %d bytes longer than the %d that a schema's name may have", len(name)-longest, longest)
	}
	return nil
}

// help describes a subcommand. What a flag says of itself may have several lines.
func help(w io.Writer, flags *flag.FlagSet, about string) {
	Printf(w, "Usage: rowsync %s [flags]\n\n%s\n\n", flags.Name(), about)
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		text = strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", 25))
		Printf(w, "  %-22s %s", dashes+f.Name+" "+value, text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			Printf(w, " (default %s)", f.DefValue)
		}
		Printf(w, "\n")
	})
}
