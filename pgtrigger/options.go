package pgtrigger

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Options say how a Source captures. The zero value is good; all programs that
// share a Namespace of a database share its journal.
type Options struct {
	// Namespace is the name of the schema that holds the journal and the
	// trigger functions. Defaults to "rowsync".
	Namespace string
	// PollInterval is how often the journal is read while the reader is
	// awake. Defaults to 10 ms.
	PollInterval time.Duration
	// SafetyPoll is how often the journal is read while the reader sleeps, which
	// also is how a dead connection is noticed, and how often the reader looks
	// whether its triggers and tables are still as they should be. Defaults to
	// 5 s; negative: never, which is for tests, for then none of this is noticed.
	SafetyPoll time.Duration
	// NoBell keeps the reader awake, polling, and its triggers from ever
	// calling NOTIFY. Writers that use PREPARE TRANSACTION need it, which
	// PostgreSQL refuses in a transaction that notified.
	NoBell bool
	// MaxBacklog is how much of the journal is taken into memory at once, in bytes
	// as the journal stores them; a few times as much is needed. Whoever comes
	// back to more than that gets a Reset instead. Defaults to 256 MiB.
	MaxBacklog int64
	// MaxJournal is how large the journal may become, in bytes, before it is made
	// anew, which is a Reset: so it does not fill the disk while triggers are
	// installed and no program reads. What readers need is the changes of twice
	// the Retention. Defaults to 4 GiB; at least 1 MiB. That it
	// has become too large is noticed by SafetyPoll.
	MaxJournal int64
	// Retention is how long entries stay in the journal at least, and so for
	// how long a connection may be lost without a Reset. Defaults to 10 min.
	Retention time.Duration
	// MaxRows is how many rows of one statement are captured one by one; a
	// statement that changes more resets its table. Where row triggers capture,
	// it bounds nothing, for they do not see statements; MaxBacklog does.
	// Defaults to 250,000.
	MaxRows int
	// LockTimeout is how long creating triggers may wait for a table's lock,
	// during which the table's writers queue behind it; after that it gives way
	// and tries again later. Defaults to 100 ms.
	LockTimeout time.Duration
	// InstallTimeout is how long to go on trying to install. Defaults to 1 min.
	InstallTimeout time.Duration
	// VerifyOnly keeps Run from any DDL: what is missing becomes its error. The
	// SQL to be run by somebody else comes from [Source.SQL].
	VerifyOnly bool
	// Cleanup makes Run remove what this namespace has installed in the past, that
	// Run does not need and that no running reader uses. Without it Run logs what
	// there is. The environment variable ROWSYNC_CLEANUP=cleanup sets it too.
	Cleanup bool
	// Always makes row triggers that fire whatever session_replication_role is
	// (ENABLE ALWAYS), for a database into which logical replication writes: its
	// apply worker runs as replica and fires row triggers only ("Logical
	// Replication: Architecture" in PostgreSQL's documentation). They cost
	// writers more than statement triggers. Only a table's owner may make them.
	Always bool
	// Server tells the version of the server, and how long names may be. nil
	// means to ask it.
	Server ServerInfo
	// Logger takes what happens to the Source itself. Defaults to [slog.Default].
	Logger *slog.Logger
}

// complete returns the options with their defaults filled in, and an error
// that names every invalid one. o may be nil.
func (o *Options) complete() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	orDefault(&c.Namespace, "rowsync")
	orDefault(&c.PollInterval, 10*time.Millisecond)
	orDefault(&c.SafetyPoll, 5*time.Second)
	orDefault(&c.MaxBacklog, 256<<20)
	orDefault(&c.MaxJournal, 4<<30)
	orDefault(&c.Retention, 10*time.Minute)
	orDefault(&c.MaxRows, 250_000)
	orDefault(&c.LockTimeout, 100*time.Millisecond)
	orDefault(&c.InstallTimeout, time.Minute)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}

	errs := []error{checkNamespace(c.Namespace), c.readCleanup()}
	for name, d := range map[string]time.Duration{"PollInterval": c.PollInterval, "Retention": c.Retention,
		"LockTimeout": c.LockTimeout, "InstallTimeout": c.InstallTimeout} {
		if d < time.Millisecond {
			errs = append(errs, fmt.Errorf("pgtrigger: option %s: %v is less than 1 ms", name, d))
		}
	}
	if c.MaxRows < 0 {
		errs = append(errs, fmt.Errorf("pgtrigger: option MaxRows: %d is negative", c.MaxRows))
	}
	if c.MaxJournal < 1<<20 {
		errs = append(errs, fmt.Errorf("pgtrigger: option MaxJournal: %d is less than 1 MiB", c.MaxJournal))
	}
	c.MaxJournal = min(c.MaxJournal, largestJournal)
	if c.MaxBacklog < 0 {
		errs = append(errs, fmt.Errorf("pgtrigger: option MaxBacklog: %d is negative", c.MaxBacklog))
	}
	return c, errors.Join(errs...)
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkNamespace looks at what does not depend on the server; see checkServer.
func checkNamespace(name string) error {
	switch {
	case strings.ContainsRune(name, 0):
		return fmt.Errorf("pgtrigger: option Namespace: %q contains a zero byte", name)
	case strings.HasPrefix(name, "pg_"):
		return fmt.Errorf("pgtrigger: option Namespace: %q: PostgreSQL keeps names that begin with pg_ for itself", name)
	}
	return nil
}
