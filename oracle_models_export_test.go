package rowsync

// SubscriberOf returns the Subscriber of a Live, so that a test can let it
// follow a mark, and tell by its position when it has taken in everything that
// came before.
func SubscriberOf[T any](l *Live[T]) *Subscriber { return l.core.sub }
