package pgtrigger

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// logs keeps what a Source logs, a line each.
type logs struct {
	t       testing.TB
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newLogs(t testing.TB) *logs {
	t.Helper()
	return &logs{t: t, changed: make(chan struct{})}
}

// logger returns a logger that writes here.
func (l *logs) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

// Write implements [io.Writer].
func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(line)
}

// lines returns the lines so far that hold all the words.
func (l *logs) lines(words ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		found = append(found, strings.TrimSpace(line))
	}
	return found
}

// await waits for a line that holds all the words and returns it.
func (l *logs) await(words ...string) string {
	l.t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if lines := l.lines(words...); lines != nil {
			return lines[0]
		}
		select {
		case <-changed:
		case <-deadline:
			l.t.Fatalf("no line with %q was logged:\n%s", words, strings.Join(l.lines(), "\n"))
		}
	}
}
