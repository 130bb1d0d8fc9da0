package rowsync_test

import (
	"slices"

	"pgregory.net/rapid"
)

// drawn is everything that is random about a case. It is drawn before the case
// begins, as numbers that mean something in any case, so that what is left when
// a part is taken out still is one: rapid makes failing cases smaller so.
type drawn struct {
	Types      int   // how many of the four types lead to each other
	Keys       []int // of each type: which columns are its primary key
	References []drawnReference
	Joins      []drawnJoin
	Links      []drawnLink // associations
	Holders    []drawnHolder
	Population int // rows of each table at the start
	Linkage    int // who is linked with whom then
	Buffer     int
	Cache      int
	Rounds     [][]drawnStep
}

// drawnReference is what the columns of A or B refer to.
type drawnReference struct{ To, By, Constraint, Unique int }

// drawnJoin is a join table.
type drawnJoin struct{ Left, Right, LeftBy, RightBy, Key, OnUpdate int }

// drawnLink is an association.
type drawnLink struct {
	Kind, Via, Flip, Field, Where, Order int
	Steps                                [4]int // of a through association
}

// drawnHolder is who holds a value.
type drawnHolder struct {
	Way, Type, Shape, Where, Order, Limit, Row int
	With                                       [][3]int
	Meanwhile                                  []drawnStep
	Lag                                        int // how it takes in events: a seed
}

// drawnStep is something that happens.
type drawnStep struct {
	What, Table, Row, Other, Pick, Writer int
	Join                                  int // made of Table
}

// upTo draws a number below n. Most numbers that rapid draws are small ones, the
// more so the wider their range is; so this puts them together of narrow ones.
func upTo(n int) *rapid.Generator[int] {
	if n <= 16 {
		return rapid.IntRange(0, n-1)
	}
	digit := rapid.IntRange(0, 15)
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for most := 1; most < n; most *= 16 {
			v = 16*v + digit.Draw(t, "digit")
		}
		return v % n
	})
}

// anyNumber is for where a remainder is taken later.
var anyNumber = upTo(256)

func drawCase() *rapid.Generator[drawn] {
	// Parts of parts, so that there are many of them and all can be taken out.
	rounds := rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawStep), 1, 14), 1, 6), 1, 6)
	links := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawLink), 1, 8), 1, 8)
	return rapid.Custom(func(t *rapid.T) drawn {
		// The first is what is taken out first.
		return drawn{
			Rounds:     slices.Concat(rounds.Draw(t, "rounds")...),
			Holders:    rapid.SliceOfN(rapid.Custom(drawHolder), 1, 9).Draw(t, "holders"),
			Links:      slices.Concat(links.Draw(t, "links")...),
			Types:      [...]int{2, 1, 3, 4}[upTo(4).Draw(t, "types")],
			Joins:      rapid.SliceOfN(rapid.Custom(drawJoin), 1, 3).Draw(t, "joins"),
			References: rapid.SliceOfN(rapid.Custom(drawReference), 2*len(species), 2*len(species)).Draw(t, "references"),
			Keys:       rapid.SliceOfN(upTo(len(keyKinds)), len(species), len(species)).Draw(t, "keys"),
			Population: [...]int{0, 5, 4, 6, 5, 3}[upTo(6).Draw(t, "population")],
			Linkage:    upTo(6).Draw(t, "linkage"),
			Buffer:     [...]int{4096, 3, 4096, 1, 4096}[upTo(5).Draw(t, "buffer")],
			Cache:      [...]int{10000, 1}[upTo(2).Draw(t, "cache")],
		}
	})
}

func drawReference(t *rapid.T) drawnReference {
	return drawnReference{
		To: upTo(len(species)).Draw(t, "to"), By: upTo(len(keyKinds)).Draw(t, "by"),
		Constraint: upTo(len(keyConstraints)).Draw(t, "constraint"), Unique: upTo(5).Draw(t, "unique"),
	}
}

func drawJoin(t *rapid.T) drawnJoin {
	return drawnJoin{
		Left: upTo(len(species)).Draw(t, "left"), Right: upTo(len(species)).Draw(t, "right"),
		LeftBy: upTo(len(keyKinds)).Draw(t, "left by"), RightBy: upTo(len(keyKinds)).Draw(t, "right by"),
		Key: upTo(3).Draw(t, "key"), OnUpdate: upTo(2).Draw(t, "on update"),
	}
}

func drawLink(t *rapid.T) drawnLink {
	l := drawnLink{
		Kind: anyNumber.Draw(t, "kind"), Via: anyNumber.Draw(t, "via"), Flip: upTo(2).Draw(t, "flip"),
		Field: anyNumber.Draw(t, "field"), Where: anyNumber.Draw(t, "where"), Order: anyNumber.Draw(t, "order"),
	}
	for i := range l.Steps {
		l.Steps[i] = anyNumber.Draw(t, "step")
	}
	return l
}

func drawHolder(t *rapid.T) drawnHolder {
	path := rapid.Custom(func(t *rapid.T) (path [3]int) {
		for i := range path {
			path[i] = anyNumber.Draw(t, "association")
		}
		return path
	})
	return drawnHolder{
		Way: anyNumber.Draw(t, "way"), Type: upTo(len(species)).Draw(t, "type"), Shape: upTo(valueShapes).Draw(t, "shape"),
		Where: anyNumber.Draw(t, "where"), Order: anyNumber.Draw(t, "order"),
		Limit: anyNumber.Draw(t, "limit"), Row: anyNumber.Draw(t, "row"),
		With:      rapid.SliceOfN(path, 1, 9).Draw(t, "with"),
		Meanwhile: rapid.SliceOfN(rapid.Custom(drawStep), 0, 2).Draw(t, "meanwhile"),
		Lag:       anyNumber.Draw(t, "lag"),
	}
}

func drawStep(t *rapid.T) drawnStep {
	return drawnStep{
		What: anyNumber.Draw(t, "what"), Table: anyNumber.Draw(t, "table"), Row: anyNumber.Draw(t, "row"),
		Other: anyNumber.Draw(t, "other"), Pick: anyNumber.Draw(t, "pick"), Writer: anyNumber.Draw(t, "writer"),
	}
}

// in makes the step one of the case's tables.
func (s drawnStep) in(f *forest) drawnStep {
	s.Join, s.Table = s.Table/len(forestTables), s.Table%f.types
	return s
}
