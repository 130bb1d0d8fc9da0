package rowsync

import (
	"context"
	"log/slog"
	"slices"
)

// noisy says at which level a watcher logs what it does, and whether that is
// logged at all.
func (c *Client) noisy(w *watched) (slog.Level, bool) {
	level := slog.LevelDebug
	if w.watch.Debug {
		level = slog.LevelInfo
	}
	return level, c.log.Enabled(context.Background(), level)
}

// findDebugged notes whether any watcher logs each change, so that where none
// does a change costs nothing more.
func (s *schema) findDebugged(log *slog.Logger) {
	s.debugged = log.Enabled(context.Background(), slog.LevelDebug) ||
		slices.ContainsFunc(s.watchers, func(w *watched) bool { return w.watch.Debug })
}

// debug logs what a watcher does, with the watcher's name.
func (c *Client) debug(w *watched, message string, args ...any) {
	if level, on := c.noisy(w); on {
		c.log.Log(context.Background(), level, message, append([]any{"watcher", w.named(), "table", w.name.String()}, args...)...) //nolint:sloglint // its callers' messages are literals
	}
}

func (c *Client) logStart() {
	for _, w := range c.schema.watchers {
		c.debug(w, "rowsync: watching", "on", past(w.ops))
	}
}

func (c *Client) logSubscription(message string, a aim) {
	for _, w := range a.named {
		c.debug(w, message, "target", a.target.String())
	}
}

// routeLogged routes changes one by one and logs each.
func (c *Client) routeLogged(changes []Change, first uint64) {
	for i := range changes {
		change := &changes[i]
		pos := first + uint64(i)
		each := func(message string, args ...any) {
			for _, w := range c.schema.watchers {
				if w.table.Capture == change.Table && w.tells(change) {
					c.debug(w, message, append([]any{"op", change.Op.String(), "key", w.keyText(change), "position", pos}, args...)...)
				}
			}
		}
		each("rowsync: change received", "txid", change.TxID, "origin", change.Origin)
		before := c.pushed.Load()
		c.schema.index.Route(changes[i:i+1], pos)
		each("rowsync: change broadcast", "events", c.pushed.Load()-before)
	}
}

// keyText is the key of the changed row, for logs.
func (w *watched) keyText(c *Change) []string {
	row := c.New
	if row == nil {
		row = c.Old
	}
	var out []string
	for _, v := range w.keyIn(row) {
		out = append(out, v.Text)
	}
	return out
}
