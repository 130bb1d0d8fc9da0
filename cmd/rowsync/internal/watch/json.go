package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/tables"
)

// jsonLines makes one JSON object of each event.
type jsonLines struct {
	shown map[string]tables.Shown // by label
	now   func() time.Time
}

func newJSONLines(shown []tables.Shown) *jsonLines {
	j := &jsonLines{shown: map[string]tables.Shown{}, now: time.Now}
	for _, s := range shown {
		j.shown[s.Label] = s
	}
	return j
}

// record is an event as JSON. What says nothing is left out.
type record struct {
	Time     time.Time `json:"time"`
	Op       string    `json:"op"`
	Schema   string    `json:"schema,omitempty"`
	Table    string    `json:"table,omitempty"`
	Key      fields    `json:"key,omitempty"`
	Old      fields    `json:"old,omitempty"`
	New      fields    `json:"new,omitempty"`
	Origin   string    `json:"origin,omitempty"`
	TxID     uint64    `json:"txid,omitempty"`
	Position position  `json:"position"`
	Reason   string    `json:"reason,omitempty"`
	Error    string    `json:"error,omitempty"`
}

type position struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

func (j *jsonLines) line(ev rowsync.Event) string {
	r := record{Position: position{ev.Position.Epoch, ev.Position.Seq}}
	table := ev.Table
	if ev.Reset != nil {
		r.Time, r.Op, r.Reason, table = j.now().UTC(), "reset", ev.Reset.Reason, ev.Reset.Table
		if ev.Reset.Err != nil {
			r.Error = ev.Reset.Err.Error()
		}
	} else {
		r.Time, r.Op, r.Origin, r.TxID = ev.At.UTC(), ev.Op.String(), ev.Origin, ev.TxID
		shown := j.shown[ev.Label]
		r.Key, r.Old = pick(shown.Key, ev.Values()), pick(shown.Key, ev.OldValues())
		r.Old = pick(shown.Columns, ev.OldValues(), r.Old...)
		if ev.New != nil {
			r.New = pick(shown.Columns, ev.Values(), r.Key...)
		}
	}
	if table != nil {
		r.Schema, r.Table = table.Schema, table.Name
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil { // of texts and numbers it makes JSON, always
		return fmt.Sprintf("{\"op\":\"reset\",\"reason\":%q}\n", err)
	}
	return b.String()
}

// fields are columns with their values, in order.
type fields []field

type field struct {
	name  string
	value rowsync.Value
}

// pick appends to what is there those of the columns that have a value, once.
func pick(columns []string, values map[string]rowsync.Value, there ...field) fields {
	out := slices.Clone(there)
	for _, name := range columns {
		v, ok := values[name]
		if ok && !slices.ContainsFunc(out, func(f field) bool { return f.name == name }) {
			out = append(out, field{name, v})
		}
	}
	return out
}

// MarshalJSON makes an object of them.
func (f fields) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, one := range f {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := text(one.name)
		if err != nil {
			return nil, err
		}
		value := []byte("null")
		if !one.value.Null {
			if value, err = text(one.value.Text); err != nil {
				return nil, err
			}
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

func text(s string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
