package rowsync_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// A shop: every kind of association, with composite, text and uuid keys,
// conditions and orders of every sort.

type Shop struct {
	Country string `db:"country" rowsync:"key"`
	Number  int32  `db:"number" rowsync:"key"`
	Name    string `db:"name"`

	OwnerID  *string `db:"owner_id"`
	DeputyID *string `db:"deputy_id"`
	Owner    *Keeper `db:"-"`                             // belongs to, by a uuid
	Deputy   *Keeper `db:"-"`                             // another, by another column
	Licence  Licence `db:"-" rowsync:"order=issued desc"` // has one, by value

	Goods     []*Good `db:"-"`                                                                     // has many, by two columns
	Cheap     []*Good `db:"-" rowsync:"has_many,where=price = 1"`                                  // equal
	NotCheap  []Good  `db:"-" rowsync:"has_many,where=price <> 1"`                                 // not
	Round     []*Good `db:"-" rowsync:"has_many,where=price in (1, 10, 100)"`                      // in
	Unpriced  []*Good `db:"-" rowsync:"has_many,where=price is null"`                              // null
	Lower     []*Good `db:"-" rowsync:"has_many,where=label = lower(label) and length(label) > 1"` // any SQL
	ByLabel   []*Good `db:"-" rowsync:"has_many,order=label collate \"C\" desc, code"`
	ByPrice   []*Good `db:"-" rowsync:"has_many,order=price desc nulls last, code"`
	Suppliers []*Firm `db:"-" rowsync:"many_to_many=supplies,order=title"`                           // with a join model
	Blocked   []*Firm `db:"-" rowsync:"many_to_many=shop_blocks,where=title > 'm',order=title desc"` // with a bare join table
	Partners  []*Shop `db:"-" rowsync:"many_to_many=partners,key=(country,number),ref=(with_country,with_number)"`

	Makers     []*Firm   `db:"-" rowsync:"through=Goods.Maker"` // through what is held or not
	MakersKeep []*Firm   `db:"-" rowsync:"through=Goods.Maker,where=title <> 'x'"`
	Owners     []*Keeper `db:"-" rowsync:"through=Partners.Goods.Maker.Boss"` // three hops
	Bosses     []*Keeper `db:"-" rowsync:"through=Makers.Boss"`               // through another through
}

type Keeper struct {
	ID   string `db:"id"`
	Name string `db:"name"`
}

type Licence struct {
	ID          int64  `db:"id"`
	ShopCountry string `db:"shop_country"`
	ShopNumber  int32  `db:"shop_number"`
	Issued      int32  `db:"issued"`
}

type Good struct {
	Code        string  `db:"code" rowsync:"key"`
	ShopCountry *string `db:"shop_country"`
	ShopNumber  *int32  `db:"shop_number"`
	Label       string  `db:"label"`
	Price       *int32  `db:"price"`
	MakerID     *int64  `db:"maker_id"`
	Maker       *Firm   `db:"-"`
}

type Firm struct {
	ID     int64   `db:"id"`
	Title  string  `db:"title"`
	BossID *string `db:"boss_id"`
	Boss   *Keeper `db:"-"`
}

type Supply struct {
	ID          int64  `db:"id"`
	ShopCountry string `db:"shop_country"`
	ShopNumber  int32  `db:"shop_number"`
	FirmID      int64  `db:"firm_id"`
	Since       int32  `db:"since"`
}

const shopSQL = `
create table keepers (id uuid primary key, name text not null);
create table shops (country text, number integer, name text not null,
	owner_id uuid references keepers on delete set null, deputy_id uuid references keepers on delete set null, primary key (country, number));
create table licences (id bigint primary key, shop_country text, shop_number integer, issued integer not null,
	foreign key (shop_country, shop_number) references shops on delete cascade on update cascade);
create table firms (id bigint primary key, title text not null, boss_id uuid references keepers on delete set null);
create table goods (code varchar(20) primary key, shop_country text, shop_number integer, label text not null, price integer,
	maker_id bigint references firms on delete set null, foreign key (shop_country, shop_number) references shops on delete cascade on update cascade);
create table supplies (id bigint generated always as identity primary key, shop_country text not null, shop_number integer not null,
	firm_id bigint not null references firms on delete cascade, since integer not null default 0,
	foreign key (shop_country, shop_number) references shops on delete cascade on update cascade);
create table shop_blocks (shop_country text, shop_number integer, firm_id bigint references firms on delete cascade);
create table partners (country text, number integer, with_country text, with_number integer,
	foreign key (country, number) references shops on delete cascade on update cascade,
	foreign key (with_country, with_number) references shops on delete cascade on update cascade);
insert into keepers select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'keeper ' || n from generate_series(1, 4) n;
insert into shops values ('de', 1, 'one', '00000000-0000-4000-8000-000000000001', null), ('fr', 1, 'two', null, '00000000-0000-4000-8000-000000000001');
insert into licences values (1, 'de', 1, 1999), (2, 'de', 1, 2005);
insert into firms values (1, 'acme', '00000000-0000-4000-8000-000000000003'), (2, 'zenith', null), (3, 'x', null);
insert into goods values ('a', 'de', 1, 'nut', 1, 1), ('b', 'de', 1, 'Bolt', 7, 2), ('c', 'fr', 1, 'screw', null, 1), ('d', null, null, 'nail', 10, 3);
insert into supplies (shop_country, shop_number, firm_id) values ('de', 1, 1);
insert into shop_blocks values ('de', 1, 2), ('fr', 1, 1);
insert into partners values ('de', 1, 'fr', 1);`

// TestB16Kinds: every kind of association, filtered and ordered, follows each
// statement; the judge is a fresh load.
func TestB16Kinds(t *testing.T) {
	paths := rowsync.With("Owner", "Deputy", "Licence", "Goods.Maker", "Cheap", "NotCheap", "Round", "Unpriced", "Lower", "ByLabel", "ByPrice",
		"Suppliers.Boss", "Blocked", "Partners.Goods", "Makers", "MakersKeep", "Owners", "Bosses")
	// The path of a through association need not be held.
	bare := rowsync.With("Makers", "Owners", "Bosses")
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, shopSQL))
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: []rowsync.Watcher{
		rowsync.WatchModel[Shop](paths), rowsync.WatchModel[Supply](),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var held []*heldShops
	for _, with := range []rowsync.Paths{paths, bare} {
		held = append(held, holdShops(t, client, with))
	}
	const keeper = `'00000000-0000-4000-8000-00000000000`
	for _, sql := range []string{
		"update shops set owner_id = " + keeper + "2', deputy_id = owner_id where country = 'de'",
		"update keepers set name = 'renamed' where id = " + keeper + "1'",
		"delete from keepers where id = " + keeper + "2'",
		"insert into licences values (3, 'de', 1, 2010)",
		"delete from licences where id = 3",
		"update licences set issued = 2020 where id = 1",
		"delete from licences where shop_country = 'de'",
		"insert into licences values (4, 'fr', 1, 1)",
		"insert into goods values ('e', 'de', 1, 'pin', 100, null), ('f', 'de', 1, 'Äpfel', null, 2)",
		"update goods set price = 1 where code = 'b'",
		"update goods set price = null where code = 'a'",
		"update goods set label = upper(label) where code = 'e'",
		"update goods set shop_country = 'fr' where code = 'b'",
		"update goods set shop_country = null where code = 'b'",
		"update goods set shop_country = 'de', shop_number = 1 where code in ('b', 'd')",
		"update goods set code = 'bb' where code = 'b'",
		"update shops set number = 9 where country = 'de'",
		"insert into supplies (shop_country, shop_number, firm_id) values ('de', 9, 2), ('de', 9, 2)",
		"delete from supplies where id = 2",
		"update supplies set firm_id = 3 where firm_id = 2",
		"update firms set title = 'm' where id = 2",
		"update firms set title = 'zz' where id in (2, 3)",
		"delete from shop_blocks where shop_country = 'de'",
		"insert into shop_blocks values ('de', 9, 3)",
		"insert into partners values ('fr', 1, 'de', 9), ('de', 9, 'de', 9)",
		"update firms set boss_id = " + keeper + "4' where id = 1",
		"update goods set maker_id = 2 where maker_id = 1",
		"delete from firms where id = 2",
		"delete from goods where shop_country = 'de'",
		"insert into goods values ('g', 'de', 9, 'again', 1, 1)",
		"delete from shops where country = 'fr'",
	} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for i, h := range held {
			h.await(t, fmt.Sprintf("%d after %s", i, sql))
		}
	}
}

// heldShops is a list of all shops, synced by hand.
type heldShops struct {
	client *rowsync.Client
	sub    *rowsync.Subscriber
	with   rowsync.Paths
	value  []*Shop
}

func holdShops(t *testing.T, c *rowsync.Client, with rowsync.Paths) *heldShops {
	t.Helper()
	h := &heldShops{client: c, sub: c.NewSubscriber(t.Context()), with: with}
	if err := h.sub.SubscribeTo(rowsync.On[Shop](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.value, err = rowsync.Load(t.Context(), h.sub, h.load, with); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *heldShops) load(ctx context.Context) ([]*Shop, error) {
	return rowsync.LoadAll[Shop](ctx, h.client, rowsync.Select{With: h.with})
}

// await takes in events until the value equals a fresh load.
func (h *heldShops) await(t *testing.T, what string) {
	t.Helper()
	fresh, err := h.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := showShops(fresh)
	for showShops(h.value) != wanted {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		var ev rowsync.Event
		for ev, err = range h.sub.Events(ctx) {
			break
		}
		cancel()
		if err != nil {
			t.Fatalf("%s: the value differs from a fresh load\n%s", what, difference(showShops(h.value), wanted))
		}
		if h.value, err = rowsync.Sync(t.Context(), h.sub, h.value, ev); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// showShops shows a list without its order, which a list synced by hand has not.
func showShops(shops []*Shop) string {
	sorted := slices.SortedFunc(slices.Values(shops), func(a, b *Shop) int {
		return cmp.Or(cmp.Compare(a.Country, b.Country), cmp.Compare(a.Number, b.Number))
	})
	return show(sorted)
}
