package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
)

// textLines makes lines that a person reads.
type textLines struct {
	columns map[string][]string // of each watcher, by its label
	width   int                 // of the longest name of a table
	verbose bool
	paint   paint
	now     func() time.Time
}

func newTextLines(shown []tables.Shown, verbose, color bool) *textLines {
	t := &textLines{columns: map[string][]string{}, verbose: verbose, paint: paint(color), now: time.Now}
	for _, s := range shown {
		t.columns[s.Label] = s.Columns
		t.width = max(t.width, utf8.RuneCountInString(printable(s.Schema+"."+s.Table)))
	}
	return t
}

// clock is how times are shown: those of changes are the database's.
const clock = "15:04:05.000"

func (t *textLines) line(ev rowsync.Event) string {
	if ev.Reset != nil {
		return t.reset(ev.Reset)
	}
	parts := []string{
		t.paint.dim(ev.At.Local().Format(clock)), t.op(ev.Op), t.table(ev.Table), t.key(ev),
	}
	if columns := t.values(ev); columns != "" {
		parts = append(parts, columns)
	}
	if ev.Origin != "" {
		parts = append(parts, t.paint.dim("by "+t.text(ev.Origin)))
	}
	if t.verbose {
		parts = append(parts, t.paint.dim(fmt.Sprintf("tx %d, position %d.%d", ev.TxID, ev.Position.Epoch, ev.Position.Seq)))
	}
	return strings.Join(parts, "  ") + "\n"
}

func (t *textLines) op(op rowsync.Op) string {
	text := fmt.Sprintf("%-6s", strings.ToUpper(op.String()))
	switch op {
	case rowsync.Inserted:
		return t.paint.green(text)
	case rowsync.Deleted:
		return t.paint.red(text)
	}
	return t.paint.yellow(text)
}

func (t *textLines) table(table *rowsync.Table) string {
	name := printable(table.String())
	return name + strings.Repeat(" ", max(0, t.width-utf8.RuneCountInString(name)))
}

// reset is as loud as a line can be.
func (t *textLines) reset(r *rowsync.Reset) string {
	about := "all tables"
	if r.Table != nil {
		about = printable(r.Table.String())
	}
	text := about + ": " + r.Reason
	if r.Err != nil {
		text += ": " + strings.Join(strings.Fields(r.Err.Error()), " ")
	}
	text += "; changes may have been missed"
	return t.paint.dim(t.now().Format(clock)) + "  " + t.paint.alarm("RESET ") + "  " + t.paint.bold(printable(text)) + "\n"
}

// key shows the row's key, and that it changed.
func (t *textLines) key(ev rowsync.Event) string {
	is := t.tuple(ev.Key())
	if was := ev.OldKey(); was != nil && !slices.Equal(was, ev.Key()) {
		return t.paint.bold(t.tuple(was)) + " → " + t.paint.bold(is)
	}
	return t.paint.bold(is)
}

func (t *textLines) tuple(values []rowsync.Value) string {
	if len(values) == 1 {
		return t.value(values[0])
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = t.value(v)
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// values shows the columns: of an update those that changed.
func (t *textLines) values(ev rowsync.Event) string {
	var texts []string
	known := t.columns[ev.Label]
	for _, name := range known {
		is, _ := ev.Value(name)
		was, _ := ev.OldValue(name)
		column := t.paint.dim(t.text(name) + ":")
		switch {
		case ev.Op != rowsync.Updated:
			texts = append(texts, column+" "+t.value(is))
		case was != is:
			texts = append(texts, column+" "+t.value(was)+" → "+t.paint.bold(t.value(is)))
		case t.verbose:
			texts = append(texts, t.paint.dim(t.text(name)+": "+t.value(is)))
		}
	}
	if texts == nil && ev.Op == rowsync.Updated && len(known) > 0 && slices.Equal(ev.OldKey(), ev.Key()) {
		return t.paint.dim("(nothing that is shown changed)")
	}
	return strings.Join(texts, ", ")
}

func (t *textLines) value(v rowsync.Value) string {
	if v.Null {
		return t.paint.dim("null")
	}
	return t.text(v.Text)
}

// longest is how many characters of a value are shown.
const longest = 60

// text shows a text, in quotes where it could be taken for something else.
func (t *textLines) text(s string) string {
	more := 0
	if n := utf8.RuneCountInString(s); !t.verbose && n > longest {
		runes := []rune(s[:min(len(s), utf8.UTFMax*longest)])
		more = n - longest
		s = string(runes[:longest])
	}
	if s == "" || s == "null" || strings.ContainsAny(s, ` ,:"()→`) || s != printable(s) {
		s = fmt.Sprintf("%q", s)
	}
	if more > 0 {
		s += fmt.Sprintf("… (%d more)", more)
	}
	return s
}
