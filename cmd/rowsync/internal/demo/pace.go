package demo

import (
	"context"
	"sync"
	"time"
)

// pace keeps all writers together at a number of changes per second.
type pace struct {
	change time.Duration // the time that one change takes; 0: none

	mu   sync.Mutex
	next time.Time // when the next transaction may begin
}

func newPace(rate int) *pace {
	p := &pace{next: time.Now()}
	if rate > 0 {
		p.change = time.Second / time.Duration(rate)
	}
	return p
}

// wait waits until it is time for a transaction; false if ctx has ended.
func (p *pace) wait(ctx context.Context) bool {
	p.mu.Lock()
	pause := time.Until(p.next)
	p.mu.Unlock()
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// spend says how many changes were made. What was missed is made up for, of
// the last half second at most.
func (p *pace) spend(changes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if floor := time.Now().Add(-500 * time.Millisecond); p.next.Before(floor) {
		p.next = floor
	}
	p.next = p.next.Add(time.Duration(changes) * p.change)
}
