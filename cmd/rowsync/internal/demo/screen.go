package demo

import (
	"io"
	"os"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// screen draws what is held on a terminal.
type screen struct {
	out  io.Writer
	size func() (width, height int, err error)
	logs *tail

	// Rows of a value that did not change are the same pointers in the next
	// one, which is how the screen knows what to mark.
	last    map[int64]*Post
	changed map[int64]time.Time
}

// Control sequences that every terminal of today knows.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearRight  = "\x1b[K"
	clearBelow  = "\x1b[J"
	wrapOff     = "\x1b[?7l" // what is too wide is cut off
	wrapOn      = "\x1b[?7h"
	bold        = "\x1b[1m"
	dim         = "\x1b[2m"
	green       = "\x1b[32m"
	plain       = "\x1b[0m"
)

// flash is how long a row that changed is marked.
const flash = 800 * time.Millisecond

func (*screen) interval() time.Duration { return 200 * time.Millisecond }

func (s *screen) open(d *demo) {
	// On the ordinary screen, so that it can still be read afterwards.
	cli.Printf(s.out, "%s\n%s", setting(d), enterScreen)
	s.changed = map[int64]time.Time{}
}

func (s *screen) close() {
	cli.Printf(s.out, "%s%s%s\n", wrapOn, leaveScreen, comparing)
}

func (s *screen) update(d *demo, g *gauge) {
	width, height, err := s.size()
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	posts := d.live.Value()
	s.mark(posts, g.latest.at)
	f := frame{
		title: setting(d), elapsed: g.latest.at.Sub(d.began), join: d.place.join,
		posts: posts, changed: s.changed, total: &g.latest, now: g.rates(),
		behind: behind(d.live.Err()), logs: s.logs.lines(g.latest.at), color: os.Getenv("NO_COLOR") == "",
	}
	cli.Printf(s.out, "%s", f.paint(width, height))
}

// mark notes which posts are not those of the last frame.
func (s *screen) mark(posts []*Post, now time.Time) {
	held := byID(posts, func(p *Post) int64 { return p.ID })
	for id, p := range held {
		if s.last != nil && s.last[id] != p {
			s.changed[id] = now
		}
	}
	for id, at := range s.changed {
		if now.Sub(at) > flash || held[id] == nil {
			delete(s.changed, id)
		}
	}
	s.last = held
}
