package rowsync_test

import (
	"context"
	"fmt"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/model"
)

// step does what was drawn: a statement, or one of twenty other things.
func (c *oneCase) step(s drawnStep) {
	s = s.in(c.forest)
	g := c.gardeners[1+s.Writer%3]
	what := s.What % (len(statements) + 20)
	if what < len(statements) {
		c.must(c.write(g, what, s))
		c.ended(!g.open, nil)
		return
	}
	switch other := what - len(statements); {
	case other < 10:
		if s.Writer%3 > 0 { // the first never has a transaction open
			c.ended(g.turn(c.ctx, s.Pick))
		}
	case other < 12:
		c.must(g.savepoint(c.ctx))
	case other < 13:
		c.ended(g.truncate(c.ctx, forestTables[s.Table]))
	case other < 14:
		c.log = append(c.log, "-- kill the reader")
		_, err := c.db.Exec(c.ctx, `select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = 'rowsync' and datname = current_database()`)
		c.must(err)
	case other < 17:
		c.advance(s)
	case other < 19:
		c.hold()
	default:
		c.letGo(s.Pick)
	}
}

// write runs a statement on what the writer sees.
func (c *oneCase) write(g *gardener, statement int, s drawnStep) error {
	w := &walk{forest: c.forest}
	err := c.forest.readKeys(c.ctx, g.conn, func(of int, r Traits) { w.rows[of] = append(w.rows[of], &r) })
	if err != nil {
		return err
	}
	return g.try(c.ctx, statements[statement](w, s))
}

// ended notes what a transaction that ended has left, if it was committed.
func (c *oneCase) ended(committed bool, err error) {
	c.must(err)
	if committed {
		c.must(c.parish.look(c.ctx, c.gardeners[0].conn))
	}
}

// advance lets a holder take in some of what has come.
func (c *oneCase) advance(s drawnStep) {
	if len(c.holders) == 0 {
		return
	}
	h := c.holders[s.Row%len(c.holders)]
	c.log = append(c.log, fmt.Sprintf("-- %d events for %s", s.Pick%8, h))
	c.must(h.catchUp(c.ctx, c.mark(), s.Pick%8))
}

// letGo closes a holder.
func (c *oneCase) letGo(pick int) {
	if len(c.holders) == 0 {
		return
	}
	i := pick % len(c.holders)
	h := c.holders[i]
	c.log = append(c.log, "-- let go of "+h.String())
	if was, is, found := h.altered(); found {
		c.failed("a value that was handed out was altered", fmt.Sprintf("%s\n%s", h, difference(is, was)))
	}
	h.close()
	c.holders = append(c.holders[:i:i], c.holders[i+1:]...)
}

// hold opens the next holder, unless there are many.
func (c *oneCase) hold() {
	if len(c.holders) >= 5 {
		return
	}
	d := c.d.Holders[c.next%len(c.d.Holders)]
	if c.next > 0 && d.Lag%3 == 0 { // like the one before, so that they share what is loaded
		before := c.d.Holders[(c.next-1)%len(c.d.Holders)]
		d.Type, d.With = before.Type, before.With
	}
	c.next++
	h, err := c.holder(d)
	c.must(err)
	c.holders = append(c.holders, h)
	c.log = append(c.log, "-- hold "+h.String())
}

func (c *oneCase) holder(d drawnHolder) (holder, error) {
	d.Type = c.forest.rooted(d.Type)
	v := c.value(d)
	switch d.Way % 3 {
	case 0:
		v.shape = pointerList
		h, err := plants[v.of].query(c.ctx, c.client, v)
		return c.withPulse(h), err
	case 1:
		h, err := plants[v.of].follow(c.ctx, c.client, v, c.forest.keys[v.of])
		return c.withPulse(h), err
	}
	inHands := []handful{c.handful(d, v)}
	if d.Way/3%3 == 0 { // another value, of another model
		d.Type, d.Shape = c.forest.rooted(d.Type+1), (d.Shape+d.Row)%valueShapes
		if d.Type != v.of { // a Subscriber holds one value of a model by Load
			inHands = append(inHands, c.handful(d, c.value(d)))
		}
	}
	return holdInHands(c.ctx, c.client, d.Lag, inHands...)
}

// withPulse tells a holder how to wait.
func (c *oneCase) withPulse(h holder) holder {
	if l, ok := h.(interface{ setPulse(*pulse) }); ok {
		l.setPulse(c.beat)
	}
	return h
}

// value is what a holder holds.
func (c *oneCase) value(d drawnHolder) *heldValue {
	s := selection{of: d.Type, Select: rowsync.Select{With: c.forest.paths(d.Type, d.With)}}
	switch d.Where % 6 {
	case 0:
		s.Where, s.Args = "num = $1", []any{1}
	case 1:
		s.Where, s.Args = "t.name >= $1 or num is null", []any{"b"}
	case 2:
		s.Where = c.forest.condition(d.Where / 6)
	}
	switch d.Order % 3 {
	case 0:
		s.OrderBy = c.forest.order(d.Order / 3)
	case 1:
		s.OrderBy = [...]string{"num", "name desc", "num desc nulls last"}[d.Order/3%3]
	}
	s.Limit = [...]int{0, 0, 0, 1, 2, 4}[d.Limit%6]
	s.Offset = [...]int{0, 0, 0, 1, 2}[d.Limit/6%5]
	return &heldValue{selection: s, shape: d.Shape, tree: c.tree(s)}
}

// handful is a value that is held by hand.
func (c *oneCase) handful(d drawnHolder, v *heldValue) handful {
	var told []rowsync.Target
	if d.Way/9%2 == 0 {
		v.Where, v.Args, v.Limit, v.Offset = "", nil, 0, 0
		target := plants[v.of].anyOp()
		if v.single() {
			columns := c.forest.keys[v.of].columns("")
			n := 1 + d.Row%most
			v.Where = set(columns, literals(columns, n), " and ")
			target = target.Key(goValues(columns, n)...)
		}
		told = append(told, target)
	}
	h := plants[v.of].byHand(c.client, v, c.forest.keys[v.of])
	h.prepare(c.parish, told, func(context.Context) error {
		if c.comparing {
			return nil // the database rests
		}
		return c.meanwhile(d.Meanwhile)
	})
	return h
}

// meanwhile does what others do between a load and its end.
func (c *oneCase) meanwhile(steps []drawnStep) error {
	for _, s := range steps {
		if err := c.write(c.gardeners[1], s.What%len(statements), s.in(c.forest)); err != nil {
			return err
		}
		if err := c.parish.look(c.ctx, c.gardeners[0].conn); err != nil {
			return err
		}
	}
	return nil
}

// tree is the paths of a selection.
func (c *oneCase) tree(s selection) *model.Tree {
	t, err := c.forest.models[s.of].Tree(s.With...)
	c.must(err)
	return t
}

// goValues is the key of row n as values of Go.
func goValues(columns []string, n int) []any {
	out := make([]any, len(columns))
	for i, c := range columns {
		switch c {
		case "ki":
			out[i] = n
		case "kt":
			out[i] = textKeyOf(n)
		default:
			out[i] = uuidKeyOf(n)
		}
	}
	return out
}
