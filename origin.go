package rowsync

import (
	"crypto/rand"
	"sync/atomic"
)

// Origin sets the tag that marks a Subscriber's own writes. Subscribers with
// the same tag, in one process or in several, take each other's writes for
// their own: those of one browser tab that connects anew, for example. Without
// it, or with "", a Subscriber has a random tag of its own.
func Origin(tag string) SubscriberOption { return originOption(tag) }

type originOption string

func (o originOption) subscriber(c *subscriberConfig) { c.origin = string(o) }

// ownWrites is what a Subscriber knows of its own writes.
type ownWrites struct {
	tag atomic.Pointer[string] // nil until it is first needed
	// byHand says that there may be own writes of whose commit nobody tells.
	byHand atomic.Bool
	echoes echoes
}

// Origin returns the tag that marks the Subscriber's own writes: the one that
// the option [Origin] set, or 128 random bits as text. A transaction that has it
// in the setting rowsync.origin, by
//
//	select set_config('rowsync.origin', tag, true)
//
// is the Subscriber's own from there on. [Subscriber.Writer] and
// [Subscriber.Mark] do that for you.
func (s *Subscriber) Origin() string {
	s.own.byHand.Store(true)
	return s.tag()
}

// tag is Origin for the Subscriber itself.
func (s *Subscriber) tag() string {
	if s.cfg.origin != "" {
		return s.cfg.origin
	}
	if tag := s.own.tag.Load(); tag != nil {
		return *tag
	}
	tag := rand.Text()
	s.own.tag.CompareAndSwap(nil, &tag)
	return *s.own.tag.Load()
}

// ShouldUpdate reports whether an event is news to the Subscriber. It is not if
// it is the echo of the Subscriber's own write: if every change that it stands
// for came of transactions with the Subscriber's tag, see [Subscriber.Writer],
// or was expected, see [Subscriber.ExpectEcho]. What others did to the same row
// is news, also if it became one event with a write of the Subscriber's own. A
// Reset is news.
//
// Who passes over its echoes must itself bring its value to what it wrote, and
// follow rows that it added; it does so when the write is committed, not before,
// for until then [Sync] reads rows without it.
//
// It is a question about the event alone: to ask twice gives the same answer.
func (s *Subscriber) ShouldUpdate(ev Event) bool {
	return ev.Reset != nil || ev.echoTo != s && !s.isOwn(ev.Origin)
}

// isOwn reports whether an origin is the Subscriber's. A tag that nobody has
// asked for yet marks nothing.
func (s *Subscriber) isOwn(origin string) bool {
	if origin == "" {
		return false
	}
	if s.cfg.origin != "" {
		return origin == s.cfg.origin
	}
	tag := s.own.tag.Load()
	return tag != nil && origin == *tag
}

// wrote says that a write of the Subscriber's own may have been committed. What
// was read before must no longer come into its values: they may show the write
// already, and when its event comes and is passed over, nothing would bring it
// back. A position of its own tells apart what was read before and after.
func (s *Subscriber) wrote() { s.reachAt(s.client.clock.Advance(1)) }

// mayHaveWritten is wrote for writes of whose commit nobody tells: any moment
// may be the one after it.
func (s *Subscriber) mayHaveWritten() {
	if s.cfg.origin != "" || s.own.byHand.Load() {
		s.wrote()
	}
}
