package demo

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// options are what the flags say.
type options struct {
	databaseURL string
	writers     int
	rate        int
	limit       time.Duration // 0: until ctx ends
	json        bool
	chaos       bool
	seed        uint64
	verbose     bool
}

const about = `Holds a list of posts with their tags and author in step with a database that
several writers change at random, and shows it. At the end the list is compared
with a fresh load, made without rowsync; the exit status is 1 if they differ.`

const (
	mostWriters = 64
	mostRate    = 100_000
)

func parse(args []string, std cli.Streams) (options, error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.databaseURL, "database-url", "", "use the server at this `url`, in a database made for the demo and dropped after it; without it, a throwaway server is started")
	flags.IntVar(&o.writers, "writers", 4, "let `n` writers write at the same time")
	flags.IntVar(&o.rate, "rate", 200, "let them change `n` rows per second, all together; 0: as many as they can")
	flags.DurationVar(&o.limit, "for", 0, "end after this `time`, such as 10s; without it, at Ctrl-C")
	flags.BoolVar(&o.json, "json", false, "show nothing while it runs, and print one JSON object at the end")
	flags.BoolVar(&o.chaos, "chaos", false, "kill the connection that changes are read from once a second")
	flags.Uint64Var(&o.seed, "seed", 0, "what the writers' choices begin from, a `number`; without it, a random one")
	flags.BoolVar(&o.verbose, "verbose", false, "log everything")
	if err := cli.Parse(flags, args, std, about); err != nil {
		return o, err
	}
	if !isSet(flags, "seed") {
		o.seed = rand.Uint64N(1_000_000) // short enough to be typed again
	}
	if isSet(flags, "database-url") {
		if err := checkURL(o.databaseURL); err != nil {
			return o, &cli.UsageError{Err: fmt.Errorf("--database-url: %w", err)}
		}
	}
	switch {
	case o.writers < 1 || o.writers > mostWriters:
		return o, cli.Usagef("--writers is %d: give 1 to %d", o.writers, mostWriters)
	case o.rate < 0 || o.rate > mostRate:
		return o, cli.Usagef("--rate is %d: give 1 to %d, or 0 for as many as the writers can", o.rate, mostRate)
	case isSet(flags, "for") && o.limit < time.Second:
		return o, cli.Usagef("--for is %s: give at least 1s", o.limit)
	}
	return o, nil
}

func isSet(flags *flag.FlagSet, name string) bool {
	set := false
	flags.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// checkURL refuses what is no URL of a PostgreSQL server. Errors do not repeat
// the URL: it may hold a password.
func checkURL(text string) error {
	const example = "such as postgres://user@host:5432/database"
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return fmt.Errorf("not the URL of a PostgreSQL server: give one %s", example)
	}
	if _, err := url.Parse(text); err != nil {
		return fmt.Errorf("malformed: give one %s", example)
	}
	if _, err := pgx.ParseConfig(text); err != nil {
		return err
	}
	return nil
}
