package route

import "github.com/rowsync/rowsync/internal/mapper"

// recentSize is how many changed keys one generation of recent remembers.
const recentSize = 8192

// recent remembers at which position each of the last changed keys changed, so
// that someone who begins to follow a key can be told whether what it read
// before is still current. It forgets by generations, and answers for what it
// forgot as though it had changed.
type recent struct {
	young, old map[mapper.Key]uint64
	// floor is the position up to which changes may be forgotten; youngFrom is
	// where the young generation began.
	floor, youngFrom uint64
	last             uint64
}

func newRecent(from uint64) *recent {
	return &recent{young: map[mapper.Key]uint64{}, floor: from, youngFrom: from}
}

func (r *recent) add(k mapper.Key, pos uint64) {
	if len(r.young) >= recentSize {
		r.floor, r.youngFrom = r.youngFrom, pos-1
		r.old, r.young = r.young, make(map[mapper.Key]uint64, recentSize)
	}
	r.young[k] = pos
	r.last = pos
}

// changedSince reports whether k may have changed after position pos.
func (r *recent) changedSince(k mapper.Key, pos uint64) bool {
	if pos < r.floor {
		return true
	}
	if at, ok := r.young[k]; ok {
		return at > pos
	}
	return r.old[k] > pos
}

// newest returns the position of the last change.
func (r *recent) newest() uint64 { return r.last }
