package pgtrigger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot is a pg_snapshot: which transactions had ended when it was taken.
type snapshot struct {
	// Every transaction below xmin had ended, none from xmax on had.
	xmin, xmax uint64
	// inProgress lists those between that had not, in ascending order.
	inProgress []uint64
}

// parseSnapshot reads PostgreSQL's text of a pg_snapshot: "xmin:xmax:id,id,…".
func parseSnapshot(text string) (snapshot, error) {
	var s snapshot
	bad := fmt.Errorf("parse snapshot %q: want xmin:xmax:ids", text)
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, bad
	}
	var err error
	if s.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return s, bad
	}
	if s.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil || s.xmax < s.xmin {
		return s, bad
	}
	if parts[2] == "" {
		return s, nil
	}
	for text := range strings.SplitSeq(parts[2], ",") {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil || id < s.xmin || id >= s.xmax {
			return s, bad
		}
		s.inProgress = append(s.inProgress, id)
	}
	if !slices.IsSorted(s.inProgress) {
		return s, bad
	}
	return s, nil
}

// visible reports whether the transaction had ended when the snapshot was
// taken, as pg_visible_in_snapshot does.
func (s snapshot) visible(xid uint64) bool {
	if xid < s.xmin {
		return true
	}
	if xid >= s.xmax {
		return false
	}
	_, running := slices.BinarySearch(s.inProgress, xid)
	return !running
}

// reaches reports whether every transaction that is visible in floor is
// visible in s, so that a reader at s needs nothing of what floor covers.
func (s snapshot) reaches(floor snapshot) bool {
	if slices.ContainsFunc(s.inProgress, floor.visible) {
		return false
	}
	if floor.xmax <= s.xmax {
		return true
	}
	// Those from s.xmax on are unknown to s, so all of them must have been in
	// progress when floor was taken.
	first, _ := slices.BinarySearch(floor.inProgress, s.xmax)
	return floor.xmin <= s.xmax && uint64(len(floor.inProgress)-first) == floor.xmax-s.xmax
}
