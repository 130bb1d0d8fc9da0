package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rowsync/rowsync/capture"
)

var (
	_ capture.Checker   = (*Source)(nil)
	_ capture.Scripter  = (*Source)(nil)
	_ capture.Describer = (*Source)(nil)
)

// Check returns everything that would keep [Source.Run] from capturing tables:
// invalid options, tables and columns that are not there or can't be captured,
// privileges that this role lacks. It alters nothing. nil means that Run can
// begin, unless it does not get the locks that it needs for installing.
func (s *Source) Check(ctx context.Context, tables []*capture.Table) error {
	if s.err != nil {
		return s.err
	}
	var standby bool
	if err := s.pool.QueryRow(ctx, "select pg_catalog.pg_is_in_recovery()").Scan(&standby); err != nil {
		return fmt.Errorf("check capture: %w", err)
	}
	var errs []error
	if standby {
		errs = append(errs, errStandby)
	}
	defs, err := s.resolve(ctx, s.pool, tables)
	errs = append(errs, err)
	if len(tables) > 0 {
		in, err := s.inspect(ctx, s.pool, defs)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, s.refusal(in))
	}
	return errors.Join(errs...)
}

// Verify returns an error that names everything that is missing, disabled or
// altered of what capture of tables needs; nil if there is nothing. It alters
// nothing and looks at no privileges.
func (s *Source) Verify(ctx context.Context, tables []*capture.Table) error {
	if s.err != nil {
		return s.err
	}
	defs, wrong := s.resolve(ctx, s.pool, tables)
	if len(defs) == 0 {
		return wrong
	}
	in, err := s.inspect(ctx, s.pool, defs)
	if err != nil {
		return errors.Join(wrong, err)
	}
	if missing := in.missing(s.names); missing != "" {
		wrong = errors.Join(wrong, fmt.Errorf("missing, disabled or altered are %s", missing))
	}
	return wrong
}

// Describe returns how a table that was given to [Source.Run] is captured;
// false while no Run has told its Sink of its start, or for another table. It
// may be called from any goroutine.
func (s *Source) Describe(t *capture.Table) (capture.Details, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := s.running[t]
	if len(running) == 0 {
		return capture.Details{}, false
	}
	d := running[0]
	details := capture.Details{Function: ident(s.names.namespace, d.functionName()), Channel: s.names.Channel}
	details.Triggers = d.triggerNames()
	if s.opts.NoBell {
		details.Channel = ""
	}
	return details, true
}

// began and ended keep what Describe says.
func (s *Source) began(defs []*definition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range defs {
		s.running[d.table] = append(s.running[d.table], d)
	}
}

func (s *Source) ended(defs []*definition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range defs {
		left := s.running[d.table]
		if i := slices.Index(left, d); i >= 0 {
			left = slices.Delete(slices.Clone(left), i, i+1)
		}
		s.running[d.table] = left
		if len(left) == 0 {
			delete(s.running, d.table)
		}
	}
}
