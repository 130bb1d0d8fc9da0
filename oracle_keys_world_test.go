package rowsync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The second world of the tests has keys of every kind: of several columns, of
// named types, numeric, uuid, enum and time, nullable and shared between
// associations; a join table without a key; and two models of one table.

type (
	tenant int32
	kind   string
)

type Account struct {
	Tenant tenant      `db:"tenant" rowsync:"key"`
	No     int64       `db:"no" rowsync:"key"`
	Name   string      `db:"name"`
	Docs   []*Doc      `db:"-" rowsync:"has_many,key=(tenant,owner_no)"`
	Desk   *Desk       `db:"-" rowsync:"has_one,key=(tenant,account_no)"`
	Labels []*DocLabel `db:"-" rowsync:"through=Docs.Labels"`
}

type Doc struct {
	Tenant   tenant      `db:"tenant" rowsync:"key"`
	ID       [16]byte    `db:"id" rowsync:"key"`
	OwnerNo  pgtype.Int8 `db:"owner_no"`
	EditorNo *int64      `db:"editor_no"`
	Title    string      `db:"title"`
	MainAt   *time.Time  `db:"main_at"`
	Owner    Account     `db:"-" rowsync:"belongs_to,key=(tenant,owner_no)"`
	Editor   *Account    `db:"-" rowsync:"belongs_to,key=(tenant,editor_no)"`
	Labels   []DocLabel  `db:"-" rowsync:"many_to_many=docs_labels,key=(tenant,doc_id),ref=label_code"`
	Latest   []*DocLabel `db:"-" rowsync:"many_to_many=docs_labels,key=(tenant,doc_id),ref=label_code,order=at desc, code"`
	Main     *DocLabel   `db:"-" rowsync:"belongs_to,key=main_at,ref=at"`
}

type DocLabel struct {
	_     struct{}       `rowsync:"table=labels"`
	Code  pgtype.Numeric `db:"code" rowsync:"key"`
	At    time.Time      `db:"at"`
	Kind  kind           `db:"kind"`
	Of    *KindRow       `db:"-" rowsync:"belongs_to,key=kind,ref=kind"`
	Docs  []*Doc         `db:"-" rowsync:"many_to_many=docs_labels,key=label_code,ref=(tenant,doc_id)"`
	Mains []*Doc         `db:"-" rowsync:"has_many,key=main_at,ref=at"`
}

type KindRow struct {
	Kind   kind        `db:"kind" rowsync:"key"`
	Text   string      `db:"text"`
	Labels []*DocLabel `db:"-" rowsync:"has_many,key=kind,ref=kind"`
}

type Desk struct {
	ID        string `db:"id"`
	Tenant    int    `db:"tenant"`
	AccountNo *int64 `db:"account_no"`
}

// DocTitle is a second model of docs.
type DocTitle struct {
	_      struct{} `rowsync:"table=docs"`
	Tenant tenant   `db:"tenant" rowsync:"key"`
	ID     string   `db:"id" rowsync:"key"`
	Title  string   `db:"title"`
}

const keysSQL = `
create type kind as enum ('a', 'b', 'c');
create table accounts (tenant int, no bigint, name text not null, primary key (tenant, no));
create table desks (id uuid primary key default gen_random_uuid(), tenant int not null, account_no bigint,
	foreign key (tenant, account_no) references accounts on update cascade on delete cascade);
create table kind_rows (kind kind primary key, text text not null);
create table labels (code numeric primary key, at timestamptz not null unique, kind kind not null);
create table docs (tenant int, id uuid default gen_random_uuid(), owner_no bigint, editor_no bigint,
	title text not null, main_at timestamptz, primary key (tenant, id),
	foreign key (tenant, owner_no) references accounts on update cascade on delete cascade);
create table docs_labels (tenant int, doc_id uuid, label_code numeric(10,3) references labels on update cascade on delete cascade,
	foreign key (tenant, doc_id) references docs on update cascade on delete cascade);
insert into accounts select t, n, 'account' || n from generate_series(1, 2) t, generate_series(1, 4) n;
insert into kind_rows values ('a', 'A'), ('b', 'B');
insert into labels select n * 1.50, '2024-01-01'::timestamptz + n * interval '1.234567 s', (array['a', 'b', 'c']::kind[])[1 + n % 3]
	from generate_series(1, 6) n;
insert into docs (tenant, owner_no, title) select 1 + n % 2, 1 + n % 4, 'doc' || n from generate_series(1, 8) n;`

// keysWriter makes random transactions over the world of keys.
type keysWriter struct {
	rng *rand.Rand
	db  *pgxpool.Pool
	ops int
}

// any returns a query for the key column of a random row.
func (w *keysWriter) any(table, column string) string {
	return fmt.Sprintf("(select %[2]s from %[1]s order by md5(%[2]s::text || '%[3]d') limit 1)", table, column, w.rng.IntN(1000))
}

func (w *keysWriter) tenant() int { return 1 + w.rng.IntN(2) }

func (w *keysWriter) no() int { return 1 + w.rng.IntN(6) }

// statement returns one random statement.
func (w *keysWriter) statement() string {
	doc, label, n := w.any("docs", "id"), w.any("labels", "code"), w.rng.IntN(100)
	switch w.rng.IntN(7) {
	case 0, 1:
		return w.ofAccounts(n)
	case 2, 3:
		return w.ofDocs(doc, label, n)
	case 4:
		return w.ofLabels(label, n)
	case 5:
		return w.ofLinks(doc, label)
	}
	if w.rng.IntN(3) == 0 {
		return "delete from kind_rows where kind = 'c'"
	}
	return fmt.Sprintf("insert into kind_rows values ('c', 'text%d') on conflict (kind) do update set text = excluded.text", n)
}

func (w *keysWriter) ofAccounts(n int) string {
	switch w.rng.IntN(6) {
	case 0:
		return fmt.Sprintf("insert into accounts values (%d, %d, 'account%d')", w.tenant(), w.no(), n)
	case 1:
		return fmt.Sprintf("update accounts set no = %d where no = %d", w.no(), w.no())
	case 2:
		return fmt.Sprintf("update accounts set name = 'account%d' where no = %d", n, w.no())
	case 3:
		return fmt.Sprintf("delete from accounts where no = %d and tenant = %d", w.no(), w.tenant())
	case 4:
		return fmt.Sprintf("delete from desks where account_no = %d", w.no())
	}
	return fmt.Sprintf(`insert into desks (tenant, account_no) select 1, no from generate_series(%[1]d, %[1]d) no
		where not exists (select from desks where tenant = 1 and account_no = no)`, w.no())
}

func (w *keysWriter) ofDocs(doc, label string, n int) string {
	switch w.rng.IntN(7) {
	case 0, 1:
		return fmt.Sprintf("insert into docs (tenant, owner_no, editor_no, title) values (%d, %d, %d, 'doc%d')", w.tenant(), w.no(), w.no(), n)
	case 2:
		return fmt.Sprintf("update docs set owner_no = %d where id = %s", w.no(), doc)
	case 3:
		return fmt.Sprintf("update docs set owner_no = null, editor_no = %d where id = %s", w.no(), doc)
	case 4:
		return fmt.Sprintf("update docs set tenant = 3 - tenant where id = %s", doc)
	case 5:
		return fmt.Sprintf("update docs set main_at = (select at from labels where code = %s) where id = %s", label, doc)
	}
	return fmt.Sprintf("delete from docs where id = %s", doc)
}

func (w *keysWriter) ofLabels(label string, n int) string {
	switch w.rng.IntN(4) {
	case 0:
		return fmt.Sprintf("update labels set at = at + interval '1.5 s' where code = %s", label)
	case 1:
		return fmt.Sprintf("update labels set code = code + 0.25 where code = %s", label)
	case 2:
		return fmt.Sprintf("update labels set kind = (array['a', 'b', 'c']::kind[])[%d] where code = %s", 1+w.rng.IntN(3), label)
	}
	return fmt.Sprintf("insert into labels values (%d.%d, now() + random() * interval '1 day', 'a')", w.rng.IntN(20), n)
}

func (w *keysWriter) ofLinks(doc, label string) string {
	switch w.rng.IntN(5) {
	case 0:
		return fmt.Sprintf("delete from docs_labels where doc_id = %s", doc)
	case 1:
		return fmt.Sprintf("update docs_labels set label_code = %s where doc_id = %s", label, doc)
	}
	return fmt.Sprintf("insert into docs_labels select tenant, id, %s from docs where id = %s", label, doc)
}

// transaction makes one random transaction and returns what it did. A statement
// that fails ends itself alone.
func (w *keysWriter) transaction(ctx context.Context) (log []string, err error) {
	tx, err := w.db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for range 1 + w.rng.IntN(3) {
		w.ops++
		sql := w.statement()
		part, err := tx.Begin(ctx)
		if err != nil {
			return log, err
		}
		if _, err := part.Exec(ctx, sql); err != nil {
			if err := part.Rollback(ctx); err != nil {
				return log, err
			}
			continue
		}
		if err := part.Commit(ctx); err != nil {
			return log, err
		}
		log = append(log, sql)
	}
	return append(log, "commit"), tx.Commit(ctx)
}

// checkKeys compares what is loaded with what plain SQL says: the owners and
// the labels of all docs.
func checkKeys(ctx context.Context, t *testing.T, db *pgxpool.Pool, docs []*Doc) {
	t.Helper()
	var owners, links int
	err := db.QueryRow(ctx, `select (select count(*) from docs where owner_no is not null),
		(select count(distinct (tenant, doc_id, label_code)) from docs_labels)`).Scan(&owners, &links)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		links -= len(d.Labels)
		if d.Owner.Name != "" {
			owners--
		}
	}
	if owners != 0 || links != 0 {
		t.Errorf("loaded %d owners and %d links too few", owners, links)
	}
}
