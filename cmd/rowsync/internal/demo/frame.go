package demo

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// frame is what one picture shows.
type frame struct {
	title   string
	elapsed time.Duration
	join    string
	posts   []*Post
	changed map[int64]time.Time
	total   *reading
	now     rates
	behind  string
	logs    []string
	color   bool
}

// paint returns what makes a terminal show the frame.
func (f *frame) paint(width, height int) string {
	var b strings.Builder
	b.WriteString(home + wrapOff)
	rows := f.rows(width, height)
	for i, row := range rows {
		// The line to be copied may go on in the next one.
		if row.whole {
			b.WriteString(wrapOn + f.styled(row) + clearRight + wrapOff)
		} else {
			b.WriteString(f.styled(row) + clearRight)
		}
		if i < len(rows)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString(clearBelow)
	return b.String()
}

func (f *frame) styled(r row) string {
	if !f.color || r.style == "" || r.text == "" {
		return r.text
	}
	return r.style + r.text + plain
}

// row is one line of a frame.
type row struct {
	text, style string
	whole       bool // it is not to be cut off
}

// rows returns the lines of the frame, as many as fit: the posts take what the
// rest leaves.
func (f *frame) rows(width, height int) []row {
	head, foot := f.head(), f.foot()
	left := height - len(head) - len(foot)
	for _, r := range foot {
		if r.whole {
			left -= max(0, len([]rune(r.text))-1) / width // what it goes on into
		}
	}
	if left < 0 { // a tiny terminal shows the figures
		return head[:min(len(head), height)]
	}
	all := head
	for i := range left {
		all = append(all, f.post(i, left))
	}
	return append(all, foot...)
}

func (f *frame) head() []row {
	h := holdingOf(f.posts)
	latency := func(h *histogram) string {
		return fmt.Sprintf("p50 %s, p99 %s", milliseconds(quantileMS(h, 0.5)), milliseconds(quantileMS(h, 0.99)))
	}
	rows := []row{
		{text: fmt.Sprintf("rowsync demo %s  %s", clock(f.elapsed), f.title), style: bold},
		{text: fmt.Sprintf("held             %d posts, %d authors, %d tags in %d places", h.posts, h.people, h.tags, h.links)},
		{text: fmt.Sprintf("committed        %d changes, %d transactions", f.total.changes, f.total.transactions)},
		{text: fmt.Sprintf("events           %.0f/s, %.2f rows read per event, %.0f statements/s", f.now.events, f.now.rowsPerEvent, f.now.statements)},
		{text: fmt.Sprintf("resets           %d%s", f.total.taken.resets, f.kills())},
		{text: fmt.Sprintf("commit to synced %s in the last %.0f s", latency(f.now.latency), window.Seconds())},
		{text: fmt.Sprintf("                 %s since the start", latency(&f.total.taken.latency))},
	}
	if f.behind != "" {
		rows = append(rows, row{text: strings.TrimPrefix(f.behind, "; "), style: bold})
	}
	return append(rows, row{}, row{text: fmt.Sprintf("%8s  %-14s %-24s %s", "post", "author", "title", "tags"), style: dim})
}

func (f *frame) kills() string {
	if f.total.kills == 0 {
		return ""
	}
	return fmt.Sprintf(", reader killed %d times", f.total.kills)
}

// post returns line i of those that show posts.
func (f *frame) post(i, lines int) row {
	switch {
	case i >= len(f.posts):
		return row{}
	case i == lines-1 && len(f.posts) > lines:
		return row{text: fmt.Sprintf("%8s  and %d more", "…", len(f.posts)-i), style: dim}
	}
	p := f.posts[i]
	author := "-"
	if p.Author != nil {
		author = p.Author.Name
	}
	tags := make([]string, len(p.Tags))
	for i, t := range p.Tags {
		tags[i] = printable(t.Name)
	}
	r := row{text: fmt.Sprintf("%8d  %-14s %-24s %s", p.ID, cut(author, 14), cut(p.Title, 24), strings.Join(tags, ", "))}
	if _, ok := f.changed[p.ID]; ok {
		r.style = green
	}
	return r
}

func (f *frame) foot() []row {
	rows := []row{{}}
	for _, l := range f.logs {
		rows = append(rows, row{text: printable(l), style: dim})
	}
	return append(rows,
		row{text: "join in: " + f.join, whole: true},
		row{text: "then try: update people set name = upper(name);     Ctrl-C ends the demo", style: dim})
}

// cut returns the printable beginning of a text, n characters at most.
func cut(text string, n int) string {
	r := []rune(printable(text))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

// printable replaces what a terminal could take for a command: anybody may
// write to the database.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}
