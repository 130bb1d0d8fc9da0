package demo

import (
	"strings"
	"sync"
	"time"
)

// tail keeps the last lines written to it for a while. Its methods may be
// called from any goroutine.
type tail struct {
	limit int
	keep  time.Duration

	mu   sync.Mutex
	kept []logged
}

type logged struct {
	at   time.Time
	line string
}

// Write implements [io.Writer] for a log handler, which writes whole lines.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, logged{time.Now(), strings.TrimSuffix(string(p), "\n")})
	if more := len(t.kept) - t.limit; more > 0 {
		t.kept = t.kept[more:]
	}
	return len(p), nil
}

// lines returns what was written not too long before now.
func (t *tail) lines(now time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for _, l := range t.kept {
		if now.Sub(l.at) < t.keep {
			lines = append(lines, l.line)
		}
	}
	return lines
}
