package pgtrigger

import "time"

// When a reader sleeps and wakes. A bell costs its writer a lock that all
// notifying commits of the cluster pass one by one, which is nothing a few
// hundred times a second and ruinous thousands of times; a poll costs the
// writers nothing and every change half an interval. Between the two rates lies
// a gap, so that a load near one of them does not make the reader toss about.
const (
	wakeWindow = 100 * time.Millisecond
	wakeBells  = 50 // in one wakeWindow: 500/s

	calmWindow  = 500 * time.Millisecond
	calmEntries = 100 // in one calmWindow: 200/s

	// A reader that is woken soon after it fell asleep stays awake longer each time.
	shortSleep = 5 * time.Second
	maxAwake   = 20 * time.Second

	// Where commits are slow, on a slow disk say, bells never come as fast as
	// that, for their commits wait for each other. So from a rate at which that
	// is possible the reader looks, now and then, at how many wait.
	queueBells    = 4 // in one wakeWindow
	queueInterval = 500 * time.Millisecond
	queueLength   = 2

	// idleInterval is what the poll interval widens to while nothing is found.
	idleInterval = 20 * time.Millisecond
)

// pace decides when the reader polls, wakes and may sleep.
type pace struct {
	nextPoll time.Time // zero: never
	interval time.Duration

	windowEnd time.Time // of the bells or entries counted
	count     int

	queueAt time.Time // when the queue of notifying commits was last looked at

	sleepy     bool          // it has not been woken by bells yet
	awakeUntil time.Time     // it stays awake until then
	awakeFor   time.Duration // how long it stayed awake the last time
	dozed      time.Time
}

// newPace is that of a reader that has just begun, which may sleep at once.
func newPace(now time.Time) pace { return pace{nextPoll: now, sleepy: true} }

// polled plans the next poll after one that found that many entries.
func (p *pace) polled(now time.Time, found int, interval time.Duration) {
	p.count += found
	if found > 0 || p.interval < interval {
		p.interval = interval
	} else {
		p.interval = max(interval, min(p.interval+time.Millisecond, idleInterval))
	}
	// Polls keep their rhythm, unless one took longer than the interval.
	p.nextPoll = p.nextPoll.Add(p.interval)
	if p.nextPoll.Before(now) {
		p.nextPoll = now
	}
}

// calm reports whether little enough was found, for long enough, to sleep.
func (p *pace) calm(now time.Time) bool {
	if p.sleepy {
		p.dozed = now
		return true
	}
	if now.Before(p.windowEnd) {
		return false
	}
	few := p.count < calmEntries
	p.count, p.windowEnd = 0, now.Add(calmWindow)
	if !few || now.Before(p.awakeUntil) {
		return false
	}
	p.dozed, p.windowEnd = now, now // from here on bells are counted
	return true
}

// rung counts bells and reports whether they come too fast to sleep on.
func (p *pace) rung(now time.Time, bells int) bool {
	if !now.Before(p.windowEnd) {
		p.count, p.windowEnd = 0, now.Add(wakeWindow)
	}
	p.count += bells
	return p.count > wakeBells
}

// mayQueue reports whether it is time to look whether commits wait for each
// other because they notify.
func (p *pace) mayQueue(now time.Time) bool {
	if p.count < queueBells || now.Sub(p.queueAt) < queueInterval {
		return false
	}
	p.queueAt = now
	return true
}

// woken begins a time of being awake.
func (p *pace) woken(now time.Time) {
	if now.Sub(p.dozed) < shortSleep {
		p.awakeFor = min(2*p.awakeFor, maxAwake)
	} else {
		p.awakeFor = 0
	}
	p.awakeFor = max(p.awakeFor, calmWindow)
	p.sleepy = false
	p.awakeUntil = now.Add(p.awakeFor)
	p.count, p.windowEnd = 0, now.Add(calmWindow)
	p.nextPoll = now
	p.interval = 0
}
