package rowsync

import (
	"fmt"
	"slices"

	"github.com/rowsync/rowsync/capture"
)

// WatcherDetails is what a watcher watches and how its Source captures it. Names
// are unquoted, except where they are said to be SQL.
type WatcherDetails struct {
	// Label is the watcher's label; "" if it is named by Model and On.
	Label string
	// Model is the type's name; "" for a table without a model.
	Model string
	On    Op

	Database, Schema, Table string
	// Key names the columns that identify a row; ExtraColumns those that travel
	// beside it; TriggerColumns those that narrow it to updates of them.
	Key, ExtraColumns, TriggerColumns []string
	// AssociationColumns are those of Key and ExtraColumns by which rows can be
	// followed, see Where of [Target].
	AssociationColumns []string

	// Function, Triggers and Channel are those of the Source: Function as SQL.
	// What a Source does not have is empty.
	Function string
	Triggers []string
	Channel  string
}

// Watchers returns the details of all watchers: those that Options.Watchers
// named, and those of the models that their paths lead to.
func (c *Client) Watchers() []WatcherDetails {
	out := make([]WatcherDetails, len(c.schema.watchers))
	for i, w := range c.schema.watchers {
		out[i] = c.details(w)
	}
	return out
}

// Watcher returns the details of the watcher that a target names; of the
// first, if several are meant.
func (c *Client) Watcher(t Target) (WatcherDetails, error) {
	a, err := c.aim(t)
	if err != nil {
		return WatcherDetails{}, fmt.Errorf("find watcher: %w", err)
	}
	return c.details(a.named[0]), nil
}

func (c *Client) details(w *watched) WatcherDetails {
	d := WatcherDetails{
		Label: w.watch.Label, On: w.ops,
		Database: c.schema.server.Database, Schema: w.name.Schema, Table: w.name.Table,
		Key: slices.Clone(w.key), TriggerColumns: slices.Clone(w.triggers),
	}
	if w.model != nil {
		d.Model = w.model.Type.String()
	}
	for _, column := range slices.Concat(w.table.Capture.Key, w.table.Capture.Columns) {
		if !w.travels(column) {
			continue
		}
		if !slices.Contains(w.key, column) {
			d.ExtraColumns = append(d.ExtraColumns, column)
		}
		if w.associates(column) {
			d.AssociationColumns = append(d.AssociationColumns, column)
		}
	}
	if describer, ok := c.source.(capture.Describer); ok {
		if how, ok := describer.Describe(w.table.Capture); ok {
			d.Function, d.Triggers, d.Channel = how.Function, how.Triggers, how.Channel
		}
	}
	return d
}
