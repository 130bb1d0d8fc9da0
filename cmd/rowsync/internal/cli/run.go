package cli

import (
	"context"
	"io"
	"slices"
	"strings"
)

// Run runs the subcommand of a group that args name, at any depth, and returns
// the exit status. The group's own name is left out of messages: it is the
// program's.
func Run(ctx context.Context, group *Command, args []string, std Streams) int {
	return run(ctx, group, "", args, std)
}

// run is Run for a group that is called by path, such as "triggers ".
func run(ctx context.Context, group *Command, path string, args []string, std Streams) int {
	if len(args) == 0 {
		usage(std.Err, group, path)
		return StatusUsage
	}
	switch name, rest := args[0], args[1:]; name {
	case "-h", "-help", "--help":
		usage(std.Out, group, path)
		return 0
	case "help":
		if len(rest) == 0 {
			usage(std.Out, group, path)
			return 0
		}
		return run(ctx, group, path, append(slices.Clone(rest), "-h"), std)
	default:
		for i := range group.Commands {
			c := &group.Commands[i]
			switch {
			case c.Name != name:
			case c.Commands != nil:
				return run(ctx, c, path+name+" ", rest, std)
			default:
				return Report(std.Err, path+name, c.Run(ctx, rest, std))
			}
		}
		Printf(std.Err, "%s: there is no subcommand %q\n\n", strings.TrimSpace("rowsync "+path), name)
		usage(std.Err, group, path)
		return StatusUsage
	}
}

func usage(w io.Writer, group *Command, path string) {
	Printf(w, "Usage: rowsync %s<subcommand> [flags]\n\n", path)
	for _, c := range group.Commands {
		Printf(w, "  %-10s %s\n", c.Name, c.Summary)
	}
	Printf(w, "\nrowsync %s<subcommand> -h lists its flags.\n", path)
}
