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
	kin, err := inheritance(ctx, db, relations)
	if err != nil {
		return nil, err
	}

	var (
		defs []*definition
		errs []error
	)
	for i, t := range tables {
		relation := relations[known[i]]
		if slices.Index(known, known[i]) < i {
			errs = append(errs, fmt.Errorf("capture %s: the table is named twice", t))
			continue
		}
		if err := checkTable(t, relation, kin); err != nil {
			errs = append(errs, fmt.Errorf("capture %s: %w", t, err))
			continue
		}
		d, err := define(s.names, t, relation, s.opts.MaxRows, !s.opts.NoBell)
		if err != nil {
			return nil, err
		}
		defs = append(defs, d)
	}
	return defs, errors.Join(errs...)
}

// checkTable says why the table can't be captured, if so.
func checkTable(t *capture.Table, relation *catalog.Table, kin map[uint32]string) error {
	if relation == nil {
		return errors.New("the database has no such table")
	}
	if relation.Persistence == 't' {
		return errors.New("it is a temporary table, which only its own session sees")
	}
	switch relation.Kind {
	case 'r':
	case 'p':
		return errors.New("it is a partitioned table, which is not supported yet")
	case 'v', 'm':
		return errors.New("it is a view: capture the tables that it reads instead")
	case 'f':
		return errors.New("it is a foreign table: capture it in the database where it lives")
	default:
		return fmt.Errorf("it is a relation of kind %q, not a table", relation.Kind)
	}
	if why := kin[relation.OID]; why != "" {
		return errors.New(why)
	}
	return checkColumns(t, relation)
}

func checkColumns(t *capture.Table, relation *catalog.Table) error {
	if len(t.Key) == 0 {
		return errors.New("it has no key: name the columns that identify a row")
	}
	var wrong []string
	all := slices.Concat(t.Key, t.Columns)
	for i, name := range all {
		switch {
		case relation.Column(name) == nil:
			wrong = append(wrong, fmt.Sprintf("it has no column %q", name))
		case slices.Index(all, name) < i:
			wrong = append(wrong, fmt.Sprintf("column %q is named twice", name))
		}
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("%s; its columns are %s", strings.Join(wrong, ", "), strings.Join(relation.ColumnNames(), ", "))
}

// inheritance says of the relations that are kin to others why that keeps
// statement triggers from seeing all their changes.
func inheritance(ctx context.Context, db catalog.Querier, relations map[catalog.Name]*catalog.Table) (map[uint32]string, error) {
	oids := make([]uint32, 0, len(relations))
	for _, r := range relations {
		oids = append(oids, r.OID)
	}
	rows, err := db.Query(ctx, `
		select c.oid, c.relispartition, i.inhrelid = c.oid, o.oid::regclass::text
		from pg_catalog.pg_class c
		join pg_catalog.pg_inherits i on c.oid in (i.inhrelid, i.inhparent)
		join pg_catalog.pg_class o on o.oid in (i.inhrelid, i.inhparent) and o.oid <> c.oid
		where c.oid = any($1)`, oids)
	if err != nil {
		return nil, fmt.Errorf("read inheritance: %w", err)
	}
	kin := map[uint32]string{}
	var (
		oid              uint32
		partition, child bool
		other            string
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &partition, &child, &other}, func() error {
		switch {
		case partition:
			kin[oid] = fmt.Sprintf("it is a partition of %s, which is not supported yet", other)
		case child:
			kin[oid] = fmt.Sprintf("it inherits from %s, which is not supported yet", other)
		default:
			kin[oid] = fmt.Sprintf("%s inherits from it, which is not supported yet", other)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read inheritance: %w", err)
	}
	return kin, nil
}
