package main

import (
	"context"
	"errors"
	"flag"
	"runtime/debug"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// version is the subcommand that says which version of the program this is.
var version = cli.Command{Name: "version", Summary: "say which version this is", Run: printVersion}

func printVersion(_ context.Context, args []string, std cli.Streams) error {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := cli.Parse(flags, args, std, "Says which version of rowsync this is, and which Go built it."); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this program was built without a version")
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = ", revision " + s.Value
		}
	}
	cli.Printf(std.Out, "rowsync %s%s, %s\n", info.Main.Version, revision, info.GoVersion)
	return nil
}
