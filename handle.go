package rowsync

import "sync"

// handle is one Live's hold on a value that may have several.
type handle struct {
	core    *live
	release func() // gives the value back, and waits for its end if it was the last

	once   sync.Once
	closed chan struct{} // closed by close
	last   *snapshot     // what close left; guarded by core.mu
}

func newHandle(l *live, release func()) *handle {
	return &handle{core: l, release: release, closed: make(chan struct{})}
}

// snapshot returns what is shown, after close what was shown then.
func (h *handle) snapshot() *snapshot {
	s, _, _ := h.watch()
	return s
}

// watch returns what is shown, a channel that is closed when that changes, and
// whether the handle is open.
func (h *handle) watch() (s *snapshot, next <-chan struct{}, open bool) {
	h.core.mu.Lock()
	defer h.core.mu.Unlock()
	if h.last != nil {
		return h.last, nil, false
	}
	return h.core.current, h.core.next, true
}

func (h *handle) close() {
	h.once.Do(func() {
		h.core.mu.Lock()
		h.last = h.core.current
		h.core.mu.Unlock()
		close(h.closed)
		h.release()
	})
}
