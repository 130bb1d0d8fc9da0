package rowsync_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/model"
	"github.com/rowsync/rowsync/pgtemp"
)

// cases runs cases and counts what they do.
type cases struct {
	server          *pgtemp.Server
	drawn           *rapid.Generator[drawn]
	steps, compared int
	first           string // report of the first case that failed
}

// oneCase is one case while it runs.
type oneCase struct {
	*rapid.T
	*cases
	ctx       context.Context
	d         drawn
	forest    *forest
	database  string
	db        *pgxpool.Pool
	client    *rowsync.Client
	gardeners []*gardener
	parish    *parish
	beat      *pulse
	marker    *rowsync.Subscriber
	marks     int
	holders   []holder
	comparing bool
	next      int // the drawn holder that is opened next
	log       []string
}

// caseLimit is how long a case may take, which only one that hangs needs.
const caseLimit = 2 * time.Minute

func (cs *cases) run(t *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	c := &oneCase{T: t, cases: cs, ctx: ctx, d: cs.drawn.Draw(t, "case"), beat: newPulse()}
	defer c.end()
	c.begin()
	for _, steps := range c.d.Rounds {
		for _, s := range steps {
			cs.steps++
			c.step(s)
		}
		c.compare(false)
	}
	for _, g := range c.gardeners {
		if g.open {
			c.ended(g.turn(ctx, 1))
		}
	}
	c.compare(true)
	c.checkHandedOut()
}

// must ends the case if something failed that cannot.
func (c *oneCase) must(err error) {
	if err != nil {
		c.failed("a case could not be run", err.Error())
	}
}

// failed ends the case. The message is the same whatever the details, so that
// smaller cases that fail in the same way are told to be so.
func (c *oneCase) failed(message, details string) {
	report := fmt.Sprintf("%s\nbuffer %d, cache %d\n", details, c.d.Buffer, c.d.Cache)
	if c.forest != nil {
		report += fmt.Sprintf("%s\n%s\n", c.forest, c.forest.sql(c.d.Population, c.d.Linkage))
	}
	report += strings.Join(c.log, "\n")
	if c.first == "" {
		c.first = report
	}
	c.Log(report)
	c.Fatal(message)
}

// begin makes the database, the models, the Client and the first holders.
func (c *oneCase) begin() {
	name, err := c.server.CreateDatabase(c.ctx, "")
	c.must(err)
	c.database = name
	url := c.server.URLFor(name)
	c.db, err = pgxpool.New(c.ctx, url)
	c.must(err)
	var icu bool
	c.must(c.db.QueryRow(c.ctx, "select exists (select from pg_collation where collname = 'und-x-icu')").Scan(&icu))
	c.forest = grow(c.d, icu)
	c.parish = &parish{forest: c.forest, vanished: map[string]int{}}
	conn, err := pgx.Connect(c.ctx, url)
	c.must(err)
	c.gardeners = append(c.gardeners, &gardener{name: "setup", conn: conn, log: &c.log})
	_, err = conn.PgConn().Exec(c.ctx, c.forest.sql(c.d.Population, c.d.Linkage)).ReadAll()
	c.must(err)
	for i := range 3 {
		g, err := newGardener(c.ctx, url, fmt.Sprint("w", i), &c.log)
		c.must(err)
		c.gardeners = append(c.gardeners, g)
	}
	c.must(c.open())
	c.must(c.parish.look(c.ctx, conn))
	for range min(4, len(c.d.Holders)) {
		c.hold()
	}
}

// open opens the Client, which watches every association.
func (c *oneCase) open() error {
	registry := model.NewRegistry()
	watchers := rowsync.Watchers{rowsync.WatchModel[forestMark]()}
	for i, m := range c.forest.models[:c.forest.types] {
		if err := registry.Add(m); err != nil {
			return err
		}
		var paths []string
		for _, a := range m.Associations {
			paths = append(paths, a.Name)
		}
		watchers = append(watchers, plants[i].watch(paths))
	}
	var err error
	c.client, err = rowsync.Open(c.ctx, c.db, &rowsync.Options{
		Watchers: watchers, Models: registry, Buffer: c.d.Buffer, CacheSize: c.d.Cache, Tracer: c.beat,
	})
	if err != nil {
		return err
	}
	c.marker = c.client.NewSubscriber(c.ctx)
	return c.marker.SubscribeTo(rowsync.On[forestMark](rowsync.Inserted))
}

// end closes everything, whatever there is of it.
func (c *oneCase) end() {
	for _, h := range c.holders {
		h.close()
	}
	if c.client != nil {
		c.client.Close()
	}
	ctx := context.WithoutCancel(c.ctx)
	for _, g := range c.gardeners {
		_ = g.conn.Close(ctx)
	}
	if c.db != nil {
		c.db.Close()
	}
	if c.database != "" {
		_ = c.server.DropDatabase(ctx, c.database)
	}
}

// mark commits a mark and returns the position at which it arrived: everyone
// has been told of everything that was committed before.
func (c *oneCase) mark() uint64 {
	for {
		c.marks++
		_, err := c.db.Exec(c.ctx, "insert into forest_marks values ($1)", c.marks)
		c.must(err)
		for ev, err := range c.marker.Events(c.ctx) {
			c.must(err)
			if ev.Reset != nil {
				break // in which the mark may have gone under
			}
			if ev.New[0].Text == fmt.Sprint(c.marks) {
				return ev.Position.Seq
			}
		}
	}
}

// compare waits until the holders have taken in everything, some of them only at
// the end, and compares what they hold with what they must hold.
func (c *oneCase) compare(atEnd bool) {
	c.comparing = true
	defer func() { c.comparing = false }()
	at := c.mark()
	var up []holder
	var chosen []selection
	for _, h := range c.holders {
		if h.lags() && !atEnd {
			continue
		}
		c.must(h.catchUp(c.ctx, at, -1))
		up = append(up, h)
		chosen = append(chosen, h.selections()...)
	}
	v, err := judge(c.ctx, c.db, c.forest, chosen)
	c.must(err)
	for _, h := range up {
		c.compared++
		if got, want := h.pictures(v); got != want {
			c.failed("a value is not what plain SQL says", fmt.Sprintf("%s\n%s\nheld:\n%s\nwanted:\n%s", h, difference(got, want), got, want))
		}
	}
	c.log = append(c.log, "-- compared")
}

// checkHandedOut fails if a value that was handed out was altered.
func (c *oneCase) checkHandedOut() {
	for _, h := range c.holders {
		if was, is, found := h.altered(); found {
			c.failed("a value that was handed out was altered", fmt.Sprintf("%s\n%s", h, difference(is, was)))
		}
	}
}
