package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// cleanupVariable is the environment variable that sets Options.Cleanup.
const cleanupVariable = "ROWSYNC_CLEANUP"

// readCleanup reads the environment variable.
func (o *Options) readCleanup() error {
	switch value := os.Getenv(cleanupVariable); value {
	case "":
	case "cleanup":
		o.Cleanup = true
	default:
		return fmt.Errorf(`pgtrigger: environment variable %s is %q: set it to "cleanup", or not at all`, cleanupVariable, value)
	}
	return nil
}

// tidy looks for leftovers: definitions of this namespace that are none of
// those wanted. It logs what it finds and how to remove it, or removes what
// nobody uses if that is asked for. That it can't is logged, too, and no more.
func (s *Source) tidy(ctx context.Context, wanted []string) {
	list, err := s.installed(ctx, s.pool, "capture!_%")
	if err != nil {
		if ctx.Err() == nil {
			s.opts.Logger.Warn("rowsync: could not look for leftovers", "err", err)
		}
		return
	}
	var unused, used []Installed
	for _, i := range list {
		switch {
		case slices.Contains(wanted, i.Definition):
		case len(i.Readers) > 0:
			used = append(used, i)
		default:
			unused = append(unused, i)
		}
	}
	if len(used) > 0 {
		s.opts.Logger.Info("rowsync: other programs read definitions that this one does not", "definitions", sayInstalled(used))
	}
	switch {
	case len(unused) == 0:
	case s.opts.Cleanup:
		s.cleanup(ctx, unused)
	default:
		s.opts.Logger.Warn("rowsync: found leftovers, which slow writers down for nobody", "definitions", sayInstalled(unused),
			"remove_by", "option Cleanup, environment variable "+cleanupVariable+"=cleanup, or Source.Remove")
	}
}

// cleanup removes leftovers that nobody read a moment ago.
func (s *Source) cleanup(ctx context.Context, unused []Installed) {
	var gone []Installed
	for _, i := range unused {
		err := s.remove(ctx, i.Definition)
		var used *InUseError
		switch {
		case err == nil:
			gone = append(gone, i)
		case ctx.Err() != nil:
		case errors.As(err, &used):
			s.opts.Logger.Info("rowsync: kept a leftover that has come into use", "definitions", sayInstalled([]Installed{used.Installed}))
		default:
			s.opts.Logger.Warn("rowsync: could not remove a leftover", "definition", i.Definition, "table", i.Schema+"."+i.Table, "err", err)
		}
	}
	if len(gone) > 0 {
		s.opts.Logger.Info("rowsync: removed leftovers", "definitions", sayInstalled(gone))
	}
}

// sayInstalled is a list that is built only if it is logged.
type sayInstalled []Installed

// LogValue implements [slog.LogValuer].
func (list sayInstalled) LogValue() slog.Value {
	const most = 20
	var lines []string
	for _, i := range list[:min(len(list), most)] {
		lines = append(lines, i.describe())
	}
	if more := len(list) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return slog.StringValue(strings.Join(lines, "; "))
}

// describe names all that a definition consists of.
func (i *Installed) describe() string {
	parts := []string{fmt.Sprintf("%s.%s: function %s", i.Schema, i.Table, i.Function)}
	if !i.TableExists {
		parts = append(parts, "the table is gone")
	}
	for _, t := range i.Triggers {
		part := "trigger " + t.Name
		if t.Schema != i.Schema || t.Table != i.Table {
			part += " on " + t.Schema + "." + t.Table
		}
		parts = append(parts, part)
	}
	if len(i.Readers) > 0 {
		parts = append(parts, "read by "+joinReaders(i.Readers))
	}
	return strings.Join(parts, ", ")
}
