package watch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// notes tells on the side what happens beside changes: it is the handler of what
// rowsync logs. Its methods may be called from any goroutine.
type notes struct {
	out       io.Writer
	quiet     bool
	verbose   bool
	namespace string
	now       func() time.Time
}

var _ slog.Handler = (*notes)(nil)

func newNotes(std cli.Streams, o options) *notes {
	return &notes{out: std.Err, quiet: o.quiet, verbose: o.verbose, namespace: o.namespace, now: time.Now}
}

// sayf prints a line, unless the command is to be quiet.
func (n *notes) sayf(format string, args ...any) {
	if !n.quiet {
		n.warnf(format, args...)
	}
}

// warnf prints a line.
func (n *notes) warnf(format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	cli.Printf(n.out, "%s  %s\n", n.now().Format(clock), printable(text))
}

// Enabled implements [slog.Handler].
func (*notes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs and WithGroup implement [slog.Handler]; rowsync uses neither.
func (n *notes) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup does nothing, see WithAttrs.
func (n *notes) WithGroup(string) slog.Handler { return n }

// Handle implements [slog.Handler]: it puts what matters here into words of its
// own, leaves out what the lines of the changes say, and prints other warnings
// as they are.
func (n *notes) Handle(_ context.Context, r slog.Record) error {
	attrs := map[string]slog.Value{}
	text := strings.TrimPrefix(r.Message, "rowsync: ")
	all := text
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.Resolve()
		all += fmt.Sprintf("  %s=%v", a.Key, attrs[a.Key])
		return true
	})
	switch text {
	case "capture interrupted; it resumes after reconnecting":
		n.sayf("connection lost: %v; trying to connect again", attrs["err"])
	case "capture is still interrupted":
		n.sayf("no connection for %v: %v; trying on", attrs["away"], attrs["err"])
	case "capture resumed":
		n.sayf("connected again after %v", attrs["away"])
	case "waiting for a lock that other transactions hold":
		n.sayf("waiting to %v: other transactions hold its lock: %v", attrs["to"], attrs["held_by"])
	case "found leftovers, which slow writers down for nobody":
		n.sayf("found triggers that nobody reads, which slow writers down: see rowsync triggers clean --namespace %s", shell(n.namespace))
	case "changes may have been missed", "changes are not captured", "table must be loaded again", "capture ended":
		if n.verbose {
			n.sayf("%s", all)
		}
	default:
		if n.verbose || r.Level >= slog.LevelWarn {
			n.sayf("%s", all)
		}
	}
	return nil
}

// sayTables lists what is watched, for a person.
func sayTables(o options) string {
	var list []string
	for _, t := range o.tables {
		text := t.Schema + "." + t.Name
		if t.On != 0 {
			text += " (" + strings.ReplaceAll(t.On.String(), "|", ", ") + ")"
		}
		if len(t.Changed) > 0 {
			text += " where " + strings.Join(t.Changed, " or ") + " changes"
		}
		list = append(list, text)
	}
	text := strings.Join(list, ", ")
	if o.limit == 0 && o.count == 0 {
		text += "; Ctrl-C ends"
	}
	return text
}
