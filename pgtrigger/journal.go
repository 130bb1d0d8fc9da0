package pgtrigger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync/capture"
)

// entryID names an entry of the journal: its transaction and the command of it
// that wrote the entry. Commands are numbered as a transaction runs them, across
// savepoints and functions, and each entry is written by a command of its own
// (cmin, see "System Columns" in PostgreSQL's documentation).
type entryID struct {
	xid     uint64
	command uint32
}

// entry is one row of the journal: what one statement did to one table, or to
// one row of a table that has row triggers.
type entry struct {
	entryID
	def    *definition
	op     capture.Op
	at     int64 // microseconds since 1970
	origin string
	was    []capture.Row
	now    []capture.Row
}

// horizon is what a poll says of the snapshot that it read.
type horizon struct {
	snapshot snapshot
	// epoch names the unbroken life of the journal; "" if it has none, which
	// is so after a crash. floor is the snapshot up to which entries may have
	// been removed, or "". file names the journal's file.
	epoch, floor, file string
}

// epoch2000 is when PostgreSQL's clock begins, in microseconds of Unix's.
const epoch2000 = 946_684_800 * 1_000_000

const pollStatement = "rowsync_poll"

// allBinary asks for every column in binary form.
var allBinary = []int16{pgx.BinaryFormatCode}

// preparePoll readies the statement that poll runs.
func (s *session) preparePoll(ctx context.Context, n names) error {
	sql, err := render("poll.sql", n)
	if err != nil {
		return err
	}
	if _, err := s.pg.Prepare(ctx, pollStatement, sql, nil); err != nil {
		return fmt.Errorf("prepare poll: %w", err)
	}
	return nil
}

// poll reads the entries that are visible now and were not to prev.
func (s *session) poll(prev snapshot, defs *defSet) (horizon, []entry, error) {
	var (
		h       horizon
		entries []entry
	)
	if err := s.expectAnswer(); err != nil {
		return h, nil, err
	}
	rows := s.pg.ExecPrepared(context.Background(), pollStatement, pollParams(prev, defs), nil, allBinary)
	err := readPoll(s, rows, defs, &h, &entries)
	if _, closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	if err == nil && h.snapshot.xmax == 0 {
		err = errors.New("no snapshot returned")
	}
	if err != nil {
		return h, nil, fmt.Errorf("poll journal: %w", err)
	}
	return h, entries, nil
}

func pollParams(prev snapshot, defs *defSet) [][]byte {
	inProgress := []byte{'{'}
	for i, xid := range prev.inProgress {
		if i > 0 {
			inProgress = append(inProgress, ',')
		}
		inProgress = strconv.AppendUint(inProgress, xid, 10)
	}
	return [][]byte{strconv.AppendUint(nil, prev.xmax, 10), append(inProgress, '}'), defs.param}
}

func readPoll(s *session, rows *pgconn.ResultReader, defs *defSet, h *horizon, entries *[]entry) error {
	var size int64
	for rows.NextRow() {
		values := rows.Values()
		if len(values) != 8 {
			return fmt.Errorf("%d columns returned", len(values))
		}
		if values[0] == nil {
			if err := h.decode(values[5], values[6]); err != nil {
				return err
			}
			continue
		}
		if size += int64(len(values[6]) + len(values[7])); size > s.maxBacklog || len(*entries) == maxWaiting {
			*entries, size = nil, math.MaxInt64/2 // and the rest is read, for the connection's sake
			if err := s.expectAnswer(); err != nil {
				return err
			}
			continue
		}
		e, err := decodeEntry(values, defs)
		if err != nil {
			return err
		}
		*entries = append(*entries, e)
		if err := s.expectAnswer(); err != nil {
			return err
		}
	}
	if size > s.maxBacklog {
		return errBacklog
	}
	return nil
}

// decode reads the first row of a poll.
func (h *horizon) decode(snapshot, state []byte) error {
	var err error
	if h.snapshot, err = parseSnapshot(string(snapshot)); err != nil {
		return err
	}
	rows, err := decodeRows(state, []int{0, 1, 2})
	if err != nil {
		return err
	}
	if len(rows) == 1 {
		h.epoch, h.floor, h.file = rows[0][0].Text, rows[0][1].Text, rows[0][2].Text
	}
	return nil
}

func decodeEntry(values [][]byte, defs *defSet) (entry, error) {
	var e entry
	if len(values[0]) != 8 || len(values[1]) != 4 || len(values[2]) != 8 || len(values[3]) != 1 || len(values[4]) != 8 {
		return e, errors.New("unexpected format of an entry")
	}
	e.xid = binary.BigEndian.Uint64(values[0])
	e.command = binary.BigEndian.Uint32(values[1])
	id := int64(binary.BigEndian.Uint64(values[2]))
	if e.def = defs.byID[id]; e.def == nil {
		return e, fmt.Errorf("entry of definition %d, which was not asked for", id)
	}
	e.at = int64(binary.BigEndian.Uint64(values[4])) + epoch2000
	e.origin = string(values[5])
	var err error
	if e.op, err = parseOp(string(values[3])); err != nil {
		return e, err
	}
	if e.was, err = decodeRows(values[6], e.def.places); err != nil {
		return e, err
	}
	e.now, err = decodeRows(values[7], e.def.places)
	return e, err
}

// parseOp reads the first letter of an operation.
func parseOp(letter string) (capture.Op, error) {
	switch letter {
	case "I":
		return capture.Insert, nil
	case "U":
		return capture.Update, nil
	case "D":
		return capture.Delete, nil
	case "T":
		return capture.Truncate, nil
	}
	return 0, fmt.Errorf("entry of unknown operation %q", letter)
}

// defSet is the definitions that a reader reads.
type defSet struct {
	all   []*definition
	byID  map[int64]*definition
	param []byte // their ids as PostgreSQL's text of a bigint[]
}

func newDefSet(defs []*definition) *defSet {
	set := &defSet{all: defs, byID: make(map[int64]*definition, len(defs))}
	ids := make([]string, len(defs))
	for i, d := range defs {
		set.byID[d.id] = d
		ids[i] = strconv.FormatInt(d.id, 10)
	}
	set.param = []byte("{" + strings.Join(ids, ",") + "}")
	return set
}
