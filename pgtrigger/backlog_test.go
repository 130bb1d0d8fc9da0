package pgtrigger

import (
	"strings"
	"testing"
)

// What waits beyond MaxBacklog is not taken in: a Reset stands for it, whether
// the reader comes back or has only fallen behind; and then it goes on.
func TestBacklog(t *testing.T) {
	for _, c := range []struct {
		name string
		away bool
		most int64
		want bool
	}{
		{name: "away", away: true, most: 20_000, want: true},
		{name: "away, within", away: true, most: 20_000_000},
		{name: "behind", most: 20_000, want: true},
		{name: "behind, within", most: 20_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := database(t, postsSQL)
			n := start(t, url, Options{MaxBacklog: c.most, NoBell: true}, posts())
			w := connect(t, url)
			gate := make(chan struct{})
			n.update(func() { n.hold["polled"] = gate })
			n.awaitEvent(n.mark(), "polled", 1)
			w.do(`do $$ begin for i in 1 .. 1000 loop update posts set author_id = i where id = 1; end loop; end $$`)
			if c.away {
				w.cut()
			}
			n.update(func() { delete(n.hold, "polled") })
			close(gate)
			if c.want {
				r := n.awaitResets(1)[0]
				if r.Table != nil || !strings.Contains(r.Reason, "MaxBacklog") {
					t.Errorf("reset %+v", r)
				}
			} else {
				n.awaitChanges(1000)
			}
			before := n.count()
			w.do("delete from posts where id = 2")
			n.awaitChanges(before + 1)
			if len(n.resets) > 1 || !c.want && len(n.resets) > 0 {
				t.Errorf("resets %v", n.resets)
			}
		})
	}
}
