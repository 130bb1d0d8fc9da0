package capture

import "context"

// Checker is a Source that can tell what is wrong with tables before anything
// is installed.
type Checker interface {
	// Check returns everything that would keep [Source.Run] from capturing
	// tables, joined, as far as it can be known without altering anything; nil
	// if there is nothing.
	Check(ctx context.Context, tables []*Table) error
}

// Scripter is a Source that can print what it installs.
type Scripter interface {
	// SQL returns the statements that install what capture of tables needs. It
	// alters nothing.
	SQL(ctx context.Context, tables []*Table) (string, error)
}

// Describer is a Source that can say how it captures a table.
type Describer interface {
	// Describe returns how a table that was given to [Source.Run] is captured;
	// false before [Sink.Started] and for other tables. It may be called from
	// any goroutine.
	Describe(t *Table) (Details, bool)
}

// Details is how a Source captures a table; what a Source does not have is empty.
type Details struct {
	// Function is the trigger function, schema-qualified and quoted as SQL.
	Function string
	// Triggers are the names of the triggers on the table, unquoted.
	Triggers []string
	// Channel is the notification channel, unquoted.
	Channel string
}
