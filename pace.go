package rowsync

import "time"

const (
	// reloadDelay is how long a live whose load function decides which rows
	// there are waits for further changes of its root's table.
	reloadDelay = 50 * time.Millisecond
	// pauseMost bounds the pause after a load.
	pauseMost = 5 * time.Second
	// retryFirst and retryMost bound the time between attempts after an error.
	retryFirst, retryMost = 100 * time.Millisecond, 5 * time.Second
)

// pace says when a live loads anew. A load is never put off once it is planned,
// and pauses for as long as the one before it took, so that under constant
// changes at most half of the time goes into loads.
type pace struct {
	due <-chan time.Time // nil while no load is planned
	// behind says that nothing can be patched in until then.
	behind bool

	ended time.Time // of the last load
	took  time.Duration
	retry time.Duration // after the next error
}

// wait is how long to wait for the next load.
func (p *pace) wait(least time.Duration) time.Duration {
	return max(least, time.Until(p.ended.Add(min(p.took, pauseMost))))
}

// plan plans a load, unless one is planned.
func (p *pace) plan(wait time.Duration) {
	if p.due == nil {
		p.due = time.After(wait)
	}
}

// loaded notes a load that began at a time and went well.
func (p *pace) loaded(began time.Time) {
	now := time.Now()
	*p = pace{ended: now, took: now.Sub(began), retry: retryFirst}
}

// failed plans another attempt, and returns when that is.
func (p *pace) failed() time.Duration {
	wait := p.retry
	p.retry = min(2*wait, retryMost)
	p.behind, p.due = true, time.After(wait)
	return wait
}
