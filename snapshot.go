package rowsync

// snapshot is what a live shows at one moment.
type snapshot struct {
	value    any
	err      error
	position Position
	version  uint64 // counts changes of value and err, from 1
	last     bool   // none will follow
}

// snapshot returns what is shown.
func (l *live) snapshot() *snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// show replaces what is shown; if only the position is new, nobody is woken.
func (l *live) show(s snapshot, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.version = l.current.version
	if changed {
		s.version++
		close(l.next)
		l.next = make(chan struct{})
	}
	l.current = &s
}

// fail keeps the value and shows why it is behind.
func (l *live) fail(err error) {
	s := *l.snapshot()
	changed := !sameText(s.err, err)
	s.err = err
	l.show(s, changed)
}

// showLast is fail with an error after which nothing will be shown any more.
func (l *live) showLast(err error) {
	s := *l.snapshot()
	s.err, s.last = err, true
	l.show(s, true)
}

// sameText reports whether two errors, which may be nil, say the same.
func sameText(x, y error) bool {
	if x == nil || y == nil {
		return x == nil && y == nil
	}
	return x.Error() == y.Error()
}

// position returns how far the Client has heard.
func (c *Client) position() Position {
	c.delivering.Lock() // so that the two belong together
	defer c.delivering.Unlock()
	return Position{Epoch: c.epoch.Load(), Seq: c.clock.Now()}
}
