package pgtrigger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/internal/catalog"
)

// resolve makes the definitions for tables from what the catalog says of them.
// Its error names everything that is wrong with any of them.
func (s *Source) resolve(ctx context.Context, db catalog.Querier, tables []*capture.Table) ([]*definition, error) {
	known := make([]catalog.Name, len(tables))
	for i, t := range tables {
		known[i] = catalog.Name{Schema: t.Schema, Table: t.Name}
	}
	distinct := slices.Clone(known)
	slices.SortFunc(distinct, func(a, b catalog.Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Table, b.Table))
	})
	relations, err := catalog.Load(ctx, db, slices.Compact(distinct))
	if err != nil {
		return nil, err
	}
	kin, err := readKin(ctx, db, relations)
	if err != nil {
		return nil, err
	}

	var (
		defs []*definition
		errs []error
	)
	if err := s.checkServer(ctx, db); err != nil {
		errs = append(errs, err)
	}
	for i, t := range tables {
		relation := relations[known[i]]
		if slices.Index(known, known[i]) < i {
			errs = append(errs, fmt.Errorf("capture %s: the table is named twice", t))
			continue
		}
		if err := s.checkTable(t, relation); err != nil {
			errs = append(errs, fmt.Errorf("capture %s: %w", t, err))
			continue
		}
		k := kin[relation.OID]
		if err := checkColumns(t, relation, k); err != nil {
			errs = append(errs, fmt.Errorf("capture %s: %w", t, err))
			continue
		}
		d, err := s.define(t, relation, way{
			rows:   k.parent || k.child || relation.Kind == 'p' || s.opts.Always,
			moves:  relation.Kind == 'p',
			always: s.opts.Always,
		})
		if err != nil {
			return nil, err
		}
		defs = append(defs, d)
	}
	return defs, errors.Join(errs...)
}

// checkTable says why the relation can't be captured, if so.
func (s *Source) checkTable(t *capture.Table, relation *catalog.Table) error {
	switch {
	case relation == nil:
		return errors.New("the database has no such table")
	case relation.Persistence == 't':
		return errors.New("it is a temporary table, which only its own session sees")
	case t.Schema == "pg_catalog" || t.Schema == "information_schema" || t.Schema == "pg_toast":
		return errors.New("it is a system table, which PostgreSQL allows no triggers on")
	case t.Schema == s.names.namespace && (t.Name == "journal" || t.Name == "state"):
		return errors.New("it is one of rowsync's own tables")
	}
	switch relation.Kind {
	case 'r', 'p':
		return nil
	case 'v':
		return errors.New("it is a view: capture the tables that it reads instead")
	case 'm':
		return errors.New("it is a materialized view: capture the tables that it reads instead")
	case 'f':
		return errors.New("it is a foreign table: capture it in the database where it lives")
	}
	return fmt.Errorf("it is a relation of kind %q, not a table", relation.Kind)
}

// checkColumns says which of the columns can't be captured, if any.
func checkColumns(t *capture.Table, relation *catalog.Table, k kin) error {
	if len(t.Key) == 0 {
		return errors.New("it has no key: name the columns that identify a row")
	}
	var wrong []string
	unknown := false
	all := slices.Concat(t.Key, t.Columns, t.Compared)
	for i, name := range all {
		switch {
		case relation.Column(name) == nil:
			wrong, unknown = append(wrong, fmt.Sprintf("it has no column %q", name)), true
		case slices.Index(all, name) < i:
			wrong, unknown = append(wrong, fmt.Sprintf("column %q is named twice", name)), true
		case slices.Contains(k.virtual, name):
			wrong = append(wrong, fmt.Sprintf("column %q is a virtual generated column, which has no value in triggers: "+
				"make it a stored one, or capture the columns that it is computed from", name))
		}
	}
	switch {
	case wrong == nil:
		return nil
	case !unknown:
		return errors.New(strings.Join(wrong, ", "))
	}
	return fmt.Errorf("%s; its columns are %s", strings.Join(wrong, ", "), strings.Join(relation.ColumnNames(), ", "))
}

// kin is what else decides how a table is captured, or whether it can be.
type kin struct {
	// parent: other tables inherit from it; child: it inherits, or is a partition.
	parent, child bool
	// virtual names the virtual generated columns, of which PostgreSQL says that
	// they are not computed when triggers fire ("Overview of Trigger Behavior").
	virtual []string
}

// readKin finds it out for the relations, by their oids.
func readKin(ctx context.Context, db catalog.Querier, relations map[catalog.Name]*catalog.Table) (map[uint32]kin, error) {
	oids := make([]uint32, 0, len(relations))
	for _, r := range relations {
		oids = append(oids, r.OID)
	}
	rows, err := db.Query(ctx, `
		select c.oid,
			exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid),
			exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid),
			array(select a.attname::text from pg_catalog.pg_attribute a
				where a.attrelid = c.oid and a.attgenerated = 'v' and not a.attisdropped)
		from pg_catalog.pg_class c where c.oid = any($1)`, oids)
	if err != nil {
		return nil, fmt.Errorf("read inheritance: %w", err)
	}
	found := map[uint32]kin{}
	var (
		oid uint32
		k   kin
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &k.parent, &k.child, &k.virtual}, func() error {
		k.virtual = slices.Clone(k.virtual)
		found[oid] = k
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read inheritance: %w", err)
	}
	return found, nil
}
