package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rowsync/rowsync/cmd/rowsync/internal/cli"
)

// silent shows nothing.
type silent struct{}

func (silent) open(*demo)              {}
func (silent) close()                  {}
func (silent) update(*demo, *gauge)    {}
func (silent) interval() time.Duration { return time.Second }

// comparing says what comes after the last update.
const comparing = "comparing what is held with a fresh load"

// lines prints a line per second.
type lines struct{ out io.Writer }

func (l *lines) open(d *demo) {
	cli.Printf(l.out, "%s; join in: %s\n", setting(d), d.place.join)
}

func (l *lines) close() { cli.Printf(l.out, "%s\n", comparing) }

func (*lines) interval() time.Duration { return time.Second }

func (l *lines) update(d *demo, g *gauge) {
	now, h := g.rates(), holdingOf(d.live.Value())
	cli.Printf(l.out, "%s held %d posts, %d people, %d tags; %.0f events/s, %.2f rows read per event, %.0f statements/s, %d resets; commit to synced p50 %s, p99 %s%s\n",
		clock(g.latest.at.Sub(d.began)), h.posts, h.people, h.tags, now.events, now.rowsPerEvent, now.statements, g.latest.taken.resets,
		milliseconds(quantileMS(now.latency, 0.5)), milliseconds(quantileMS(now.latency, 0.99)), behind(d.live.Err()))
}

// setting says what runs.
func setting(d *demo) string {
	rate := "as fast as they can"
	if d.opts.rate > 0 {
		rate = fmt.Sprintf("at %d changes/s", d.opts.rate)
	}
	chaos := ""
	if d.opts.chaos {
		chaos = ", chaos"
	}
	version, _, _ := strings.Cut(d.place.version, " ")
	return fmt.Sprintf("PostgreSQL %s, %d writers %s, seed %d%s", version, d.opts.writers, rate, d.opts.seed, chaos)
}

// behind says why the value is behind the database, if it is.
func behind(err error) string {
	if err == nil {
		return ""
	}
	return "; behind: " + printable(err.Error())
}

// clock shows a duration as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// holding is how much is held.
type holding struct{ posts, people, tags, links int }

func holdingOf(posts []*Post) holding {
	people, tags := map[int64]bool{}, map[int64]bool{}
	h := holding{posts: len(posts)}
	for _, p := range posts {
		if p.Author != nil {
			people[p.Author.ID] = true
		}
		for _, t := range p.Tags {
			tags[t.ID] = true
			h.links++
		}
	}
	h.people, h.tags = len(people), len(tags)
	return h
}
