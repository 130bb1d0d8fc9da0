package pgtrigger

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/rowsync/rowsync/capture"
)

// rowsPerBlock is how many rows share their memory. More would be quicker to
// decode; but who keeps one row keeps its whole block.
const rowsPerBlock = 32

var errArray = errors.New("decode array: not a two-dimensional text array of the definition's width")

// decodeRows reads PostgreSQL's binary form of a text[] whose second dimension
// is the length of places. The value at i of each row goes to places[i]. The
// result does not refer to data; nil means null.
func decodeRows(data []byte, places []int) ([]capture.Row, error) {
	if data == nil {
		return nil, nil
	}
	const header = 12 + 2*8 // dimensions, flags, type; length and lower bound twice
	if len(data) < header || binary.BigEndian.Uint32(data) != 2 {
		return nil, errArray
	}
	count, width := binary.BigEndian.Uint32(data[12:]), binary.BigEndian.Uint32(data[20:])
	data = data[header:]
	// Each element takes four bytes at least, which bounds what is allocated.
	if int64(width) != int64(len(places)) || width == 0 || int64(count)*int64(width) > int64(len(data)/4) {
		return nil, errArray
	}
	rows := make([]capture.Row, 0, count)
	for n := int(count); n > 0; n -= rowsPerBlock {
		var err error
		if rows, data, err = decodeBlock(rows, data, places, min(n, rowsPerBlock)); err != nil {
			return nil, err
		}
	}
	if len(data) != 0 {
		return nil, errArray
	}
	return rows, nil
}

// decodeBlock appends the next n rows and returns the rest of data.
func decodeBlock(rows []capture.Row, data []byte, places []int, n int) ([]capture.Row, []byte, error) {
	size := 0
	for range n * len(places) {
		length, ok := elementLength(data[size:])
		if !ok {
			return nil, nil, errArray
		}
		size += 4 + max(length, 0)
	}
	text := string(data[:size])
	values := make([]capture.Value, n*len(places))
	at := 0
	for range n {
		row := values[:len(places):len(places)]
		values = values[len(places):]
		for _, place := range places {
			length, _ := elementLength(data[at:])
			at += 4
			if length < 0 {
				row[place].Null = true
				continue
			}
			row[place].Text = text[at : at+length]
			at += length
		}
		rows = append(rows, row)
	}
	return rows, data[size:], nil
}

// elementLength returns the length of the element that data begins with, -1
// for null, and whether data holds all of it.
func elementLength(data []byte) (int, bool) {
	if len(data) < 4 {
		return 0, false
	}
	length := binary.BigEndian.Uint32(data)
	if length == math.MaxUint32 {
		return -1, true
	}
	return int(length), uint64(length) <= uint64(len(data)-4)
}
