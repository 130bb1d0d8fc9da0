package pgtrigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/rowsync/rowsync/capture"
)

// bell is the payload of a notification: an entry, or, if it was too large, only
// the transaction that made it and for which definition.
type bell struct {
	xid   uint64
	def   int64
	entry *entry // nil: to be polled, or not of this reader's definitions
}

// parseBell reads a payload: [xid, command, def, op, at, origin, was, now] or
// [xid, null, def].
func parseBell(payload string, defs *defSet) (bell, error) {
	var b bell
	if !utf8.ValidString(payload) { // a database in encoding SQL_ASCII
		return b, errors.New("not UTF-8")
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(payload), &parts); err != nil {
		return b, err
	}
	if len(parts) != 3 && len(parts) != 8 {
		return b, fmt.Errorf("%d parts", len(parts))
	}
	var xid, command string
	if err := unmarshal(parts[:3], &xid, &command, &b.def); err != nil {
		return b, err
	}
	var err error
	if b.xid, err = strconv.ParseUint(xid, 10, 64); err != nil {
		return b, err
	}
	def := defs.byID[b.def]
	if def == nil || len(parts) == 3 {
		return b, nil
	}
	number, err := strconv.ParseUint(command, 10, 32)
	if err != nil {
		return b, err
	}
	e := entry{entryID: entryID{b.xid, uint32(number)}, def: def}
	var (
		op       string
		was, now [][]*string
	)
	if err := unmarshal(parts[3:], &op, &e.at, &e.origin, &was, &now); err != nil {
		return b, err
	}
	if e.op, err = parseOp(op); err != nil {
		return b, err
	}
	if e.was, err = textRows(was, def.places); err != nil {
		return b, err
	}
	if e.now, err = textRows(now, def.places); err != nil {
		return b, err
	}
	b.entry = &e
	return b, nil
}

// unmarshal reads each part into the target at its place.
func unmarshal(parts []json.RawMessage, targets ...any) error {
	for i, target := range targets {
		if err := json.Unmarshal(parts[i], target); err != nil {
			return err
		}
	}
	return nil
}

func textRows(texts [][]*string, places []int) ([]capture.Row, error) {
	var rows []capture.Row
	for _, text := range texts {
		if len(text) != len(places) {
			return nil, fmt.Errorf("%d values in a row of %d", len(text), len(places))
		}
		row := make(capture.Row, len(places))
		for i, place := range places {
			if text[i] == nil {
				row[place].Null = true
			} else {
				row[place].Text = *text[i]
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
