package demo

import (
	"math"
	"time"
)

const (
	// growth is how much wider each bucket is than the one before: what a
	// quantile may be too high by.
	growth = 1.02
	// buckets reach from a microsecond to half an hour.
	buckets = 1080
)

// histogram counts durations, in as much memory for an hour as for a second.
// It is a value: subtract an earlier copy to see what came since.
type histogram struct {
	counts [buckets]uint64
	total  uint64
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
}

func bucketOf(d time.Duration) int {
	if d <= time.Microsecond {
		return 0
	}
	i := int(math.Ceil(math.Log(float64(d)/float64(time.Microsecond)) / math.Log(growth)))
	return min(i, buckets-1)
}

// since returns what was added after earlier was copied from h.
func (h *histogram) since(earlier *histogram) *histogram {
	diff := &histogram{total: h.total - earlier.total}
	for i := range h.counts {
		diff.counts[i] = h.counts[i] - earlier.counts[i]
	}
	return diff
}

// quantile returns the duration that a part q of all, between 0 and 1, does
// not exceed; false if there are none.
func (h *histogram) quantile(q float64) (time.Duration, bool) {
	if h.total == 0 {
		return 0, false
	}
	rank := uint64(math.Ceil(q * float64(h.total)))
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i]; seen >= rank && h.counts[i] > 0 {
			return time.Duration(float64(time.Microsecond) * math.Pow(growth, float64(i))), true
		}
	}
	return 0, false
}
