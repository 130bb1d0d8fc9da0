package rowsync_test

import (
	"context"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/capture"
	"github.com/rowsync/rowsync/pgtemp"
)

// openTables opens a Client on a fresh world with more tables in it.
func openTables(t *testing.T, sql string, ws ...rowsync.Watcher) (*rowsync.Client, *database) {
	t.Helper()
	db := openPool(t.Context(), t, pgtemp.Shared(t).Database(t, worldSQL+sql))
	ws = append(ws, rowsync.WatchModel[Person]()) // for the marks of settle and syncAll
	client, err := rowsync.Open(t.Context(), db, &rowsync.Options{Watchers: ws})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, &database{db, t}
}

// loadAll returns a load function for all rows of a query.
func loadAll[T any](client *rowsync.Client, q rowsync.Select) func(context.Context) ([]*T, error) {
	return func(ctx context.Context) ([]*T, error) { return rowsync.LoadAll[T](ctx, client, q) }
}

// loaded returns a Subscriber and the rows of a query that it holds.
func loaded[T any](t *testing.T, client *rowsync.Client, q rowsync.Select) (*rowsync.Subscriber, []*T) {
	t.Helper()
	sub := client.NewSubscriber(t.Context())
	v, err := rowsync.Load(t.Context(), sub, loadAll[T](client, q), rowsync.With(q.With...))
	if err != nil {
		t.Fatal(err)
	}
	return sub, v
}

// query returns a Live of a query.
func query[T any](t *testing.T, client *rowsync.Client, q rowsync.Select) *rowsync.Live[[]*T] {
	t.Helper()
	l, err := rowsync.Query[T](t.Context(), client, q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// syncAll brings a value up to date with every event of what was committed, up
// to a mark that it commits itself.
func syncAll[T any](t *testing.T, db *database, sub *rowsync.Subscriber, v T) T {
	t.Helper()
	mark := rowsync.On[Person](rowsync.Deleted).Key(2000000)
	if err := sub.SubscribeTo(mark); err != nil {
		t.Fatal(err)
	}
	db.exec("insert into people (id, name) overriding system value values (2000000, 'mark')")
	db.exec("delete from people where id = 2000000")
	for {
		ev := next(t, sub)
		if ev.Reset == nil && ev.Table.Name == "people" && ev.Op == rowsync.Deleted && ev.Old[0].Text == "2000000" {
			break
		}
		var err error
		if v, err = rowsync.Sync(t.Context(), sub, v, ev); err != nil {
			t.Fatalf("Sync of %s: %v", ev, err)
		}
	}
	if err := sub.UnsubscribeFrom(mark); err != nil {
		t.Fatal(err)
	}
	return v
}

// wantFresh fails unless a value equals what its query now returns.
func wantFresh[T any](t *testing.T, client *rowsync.Client, q rowsync.Select, v []*T) {
	t.Helper()
	fresh, err := rowsync.LoadAll[T](t.Context(), client, q)
	if err != nil {
		t.Fatal(err)
	}
	want(t, v, fresh)
}

// TestConditionEnteredByRowNotHeld: a linked row that does not meet the
// condition of its association is followed too, for it may come to meet it.
func TestConditionEnteredByRowNotHeld(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("HotTags")), rowsync.WatchModel[Person]())
	db.exec("insert into tags values ('a', 'apple'); insert into posts (title) values ('one'); insert into posts_tags values (1, 'a')")
	settle(t, client, db)
	l := query[Post](t, client, rowsync.Select{With: []string{"HotTags"}})
	db.exec("update tags set name = 'zebra'")
	await(t, l, func(posts []*Post, _ error) bool { return len(posts[0].HotTags) == 1 })
}

// TestConditionOfUnwatchedPath: what follows a path whose condition nobody
// watches is refused, even if a path without the condition is watched.
func TestConditionOfUnwatchedPath(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Posts")), rowsync.WatchModel[Post](rowsync.With("Tags")))
	if l, err := rowsync.Query[Person](t.Context(), client, rowsync.Select{With: []string{"TestPosts"}}); err == nil {
		l.Close()
		t.Error("Query of TestPosts, with only Posts watched, did not fail")
	} else {
		wantAll(t, err, "TestPosts")
	}
	if l, err := rowsync.Query[Post](t.Context(), client, rowsync.Select{With: []string{"HotTags"}}); err == nil {
		l.Close()
		t.Error("Query of HotTags, with only Tags watched, did not fail")
	} else {
		wantAll(t, err, "HotTags")
	}
}

// TestMergedChangesOfLink: a link that changed twice leaves the place between,
// which a load may have read.
func TestMergedChangesOfLink(t *testing.T) {
	q := rowsync.Select{With: []string{"Fans"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Fans")))
	db.exec("insert into people (name) values ('p1'), ('p2'), ('p3'), ('fan'); insert into friends (person_id, friend_id) values (4, 1)")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	people, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Person, error) {
		db.exec("update friends set friend_id = 2")
		v, err := rowsync.LoadAll[Person](ctx, client, q)
		db.exec("update friends set friend_id = 3")
		settle(t, client, db) // both changes wait in the queue, as one event
		return v, err
	}, rowsync.With("Fans"))
	if err != nil {
		t.Fatal(err)
	}
	wantFresh(t, client, q, syncAll(t, db, sub, people))
}

// TestLinkGoneStaysGone: an old event of a linked row does not bring back a
// link that was deleted since, however another Subscriber has read it.
func TestLinkGoneStaysGone(t *testing.T) {
	q := rowsync.Select{With: []string{"Tags", "HotTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)), rowsync.WatchModel[Person]())
	db.exec("insert into tags values ('z', 'zebra'); insert into posts (title) values ('one'), ('two'); insert into posts_tags values (2, 'z')")
	settle(t, client, db)
	sub1, posts1 := loaded[Post](t, client, q)
	sub2, posts2 := loaded[Post](t, client, q)
	db.exec("insert into posts_tags values (1, 'z')")
	db.exec("update tags set name = 'zoo'")
	posts1 = syncAll(t, db, sub1, posts1)
	wantFresh(t, client, q, posts1)
	db.exec("delete from posts_tags where post_id = 1")
	posts2 = syncAll(t, db, sub2, posts2)
	wantFresh(t, client, q, posts2)
	wantFresh(t, client, q, syncAll(t, db, sub1, posts1))
}

// TestTwoLoadsOfOneSubscriber: a load that ends does not take from another what
// it follows meanwhile.
func TestTwoLoadsOfOneSubscriber(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Author")), rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('ada')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	people, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Person, error) {
		v, err := rowsync.LoadAll[Person](ctx, client, rowsync.Select{})
		if err != nil {
			return nil, err
		}
		q := rowsync.Select{With: []string{"Author"}}
		if _, err := rowsync.Load(ctx, sub, loadAll[Post](client, q), rowsync.With("Author")); err != nil {
			return nil, err
		}
		db.exec("update people set name = 'eve'")
		settle(t, client, db)
		return v, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFresh(t, client, rowsync.Select{}, syncAll(t, db, sub, people))
}

type Officer struct {
	ID    int64      `db:"id"`
	Boss  *int64     `db:"boss_id"`
	Under []*Officer `db:"-" rowsync:"has_many,key=boss_id,order=rank"`
}

// TestOrderByColumnNotInModel: an association is ordered anew when a column
// changes that only its order names.
func TestOrderByColumnNotInModel(t *testing.T) {
	client, db := openTables(t, `create table officers (id bigint primary key, boss_id bigint, rank int);
		insert into officers values (1, null, 0), (2, 1, 1), (3, 1, 2)`, rowsync.WatchModel[Officer](rowsync.With("Under")))
	l := query[Officer](t, client, rowsync.Select{Where: "boss_id is null", With: []string{"Under"}})
	db.exec("update officers set rank = 9 where id = 2")
	await(t, l, func(v []*Officer, _ error) bool { return v[0].Under[0].ID == 3 })
}

// TestNestedRowStaysOutOfList: a row that is followed as part of another row,
// or of another value, does not join a list of its model.
func TestNestedRowStaysOutOfList(t *testing.T) {
	t.Run("of the same value", func(t *testing.T) {
		q := rowsync.Select{Where: "id = 1", With: []string{"Fans"}}
		client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With("Fans")))
		db.exec("insert into people (name) values ('p1'), ('fan'); insert into friends (person_id, friend_id) values (2, 1)")
		settle(t, client, db)
		sub, people := loaded[Person](t, client, q)
		db.exec("update people set name = 'fan!' where id = 2")
		wantFresh(t, client, q, syncAll(t, db, sub, people))
	})
	t.Run("of another value", func(t *testing.T) {
		q := rowsync.Select{Where: "id = 1"}
		client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Author")), rowsync.WatchModel[Person]())
		db.exec("insert into people (name) values ('p1'), ('author'); insert into posts (title, author_id) values ('x', 2)")
		settle(t, client, db)
		sub, people := loaded[Person](t, client, q)
		posts := loadAll[Post](client, rowsync.Select{With: []string{"Author"}})
		if _, err := rowsync.Load(t.Context(), sub, posts, rowsync.With("Author")); err != nil {
			t.Fatal(err)
		}
		db.exec("update people set name = 'author!' where id = 2")
		wantFresh(t, client, q, syncAll(t, db, sub, people))
	})
}

// TestCloseWakesEveryWaiter: all who wait for events of a Subscriber hear that
// it is closed.
func TestCloseWakesEveryWaiter(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	for range 200 { // whether all of them wait already is up to the scheduler
		sub := client.NewSubscriber(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		var began, ended sync.WaitGroup
		for range 3 {
			began.Add(1)
			ended.Go(func() {
				began.Done()
				for _, err := range sub.Events(ctx) {
					t.Errorf("still waited after Close: %v", err)
				}
			})
		}
		began.Wait()
		sub.Close()
		ended.Wait()
		cancel()
		if t.Failed() {
			return
		}
	}
}

// TestLiveClosedHasNoError: that a Live was closed is no error of it.
func TestLiveClosedHasNoError(t *testing.T) {
	client, _ := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	for range 200 { // for it is a race between two ways of ending
		l, err := rowsync.Query[Person](t.Context(), client, rowsync.Select{})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := l.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClientCloseWaitsForLives: a load of a Live has ended when Close returns.
func TestClientCloseWaitsForLives(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person]())
	var loads, ended atomic.Int32
	again := make(chan struct{})
	l, err := rowsync.Follow(t.Context(), client, func(ctx context.Context) ([]*Person, error) {
		if loads.Add(1) != 2 {
			return nil, nil
		}
		defer ended.Add(1)
		close(again)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	db.exec("truncate people cascade")
	<-again
	client.Close()
	if ended.Load() != 1 {
		t.Error("Close has returned, but the Live still loads")
	}
	client.Close()
}

type Included struct {
	_    struct{} `rowsync:"table=included"`
	ID   int64    `db:"id"`
	Note *string  `db:"note"`
	N    int      `db:"n"`
}

// TestKeyWithIncludedColumn: a column that a primary key only includes is no
// part of the key.
func TestKeyWithIncludedColumn(t *testing.T) {
	client, db := openTables(t, `create table included (id bigint, note text, n int not null, primary key (id) include (note));
		insert into included select g, null, 0 from generate_series(1, 5) g`, rowsync.WatchModel[Included]())
	sub, v := loaded[Included](t, client, rowsync.Select{})
	db.exec("update included set n = 1")
	v = syncAll(t, db, sub, v)
	sort.Slice(v, func(i, j int) bool { return v[i].ID < v[j].ID })
	wantFresh(t, client, rowsync.Select{}, v)
}

type Actor struct {
	ID    int64   `db:"id"`
	Films []*Film `db:"-" rowsync:"many_to_many=casting"`
	Roles []*Role `db:"-" rowsync:"many_to_many=casting"`
}

type Film struct {
	ID int64 `db:"id"`
}

type Role struct {
	ID int64 `db:"id"`
}

// TestJoinTableOfThree: a join table without a primary key may join three.
func TestJoinTableOfThree(t *testing.T) {
	q := rowsync.Select{With: []string{"Films", "Roles"}}
	client, db := openTables(t, `create table actors (id bigint primary key); create table films (id bigint primary key);
		create table roles (id bigint primary key); create table casting (actor_id bigint, film_id bigint, role_id bigint);
		insert into actors values (1); insert into films values (1), (2), (3); insert into roles values (1);
		insert into casting values (1, 1, 1), (1, 2, 1), (1, 3, 1)`, rowsync.WatchModel[Actor](rowsync.With(q.With...)))
	sub, v := loaded[Actor](t, client, q)
	db.exec("delete from casting")
	wantFresh(t, client, q, syncAll(t, db, sub, v))
}

type Zone struct {
	ID   int64 `db:"id"`
	Main Point `db:"-" rowsync:"has_one,key=zone_id"`
}

type Point struct {
	ID     int64 `db:"id"`
	ZoneID int64 `db:"zone_id"`
}

// TestZeroRow: rows whose columns are all zero are rows.
func TestZeroRow(t *testing.T) {
	q := rowsync.Select{With: []string{"Main"}}
	client, db := openTables(t, `create table zones (id bigint primary key); create table points (id bigint primary key, zone_id bigint);
		insert into zones values (0); insert into points values (0, 0)`, rowsync.WatchModel[Zone](rowsync.With(q.With...)))
	sub, v := loaded[Zone](t, client, q)
	db.exec("update points set zone_id = 0, id = 5")
	wantFresh(t, client, q, syncAll(t, db, sub, v))
}

// scripted is a Source that tells what the test says.
type scripted struct {
	tables map[string]*rowsync.Table
	sink   rowsync.Sink
	ready  chan struct{}
}

func newScripted() *scripted {
	return &scripted{tables: map[string]*rowsync.Table{}, ready: make(chan struct{})}
}

func (s *scripted) Run(ctx context.Context, tables []*rowsync.Table, sink rowsync.Sink) error {
	for _, t := range tables {
		s.tables[t.Name] = t
	}
	s.sink = sink
	close(s.ready)
	sink.Started()
	<-ctx.Done()
	return ctx.Err()
}

// tell tells of a change of the row with an id; its other columns are null.
func (s *scripted) tell(op rowsync.Op, table, id string) {
	<-s.ready
	c := rowsync.Change{Op: op, Table: s.tables[table]}
	if op != rowsync.Truncated {
		c.New = make(capture.Row, len(c.Table.Key)+len(c.Table.Columns))
		for i := range c.New {
			c.New[i].Null = true
		}
		c.New[0] = capture.Value{Text: id}
	}
	s.sink.Deliver([]rowsync.Change{c})
}

// TestTruncateBeforeFollow: rows that are truncated after they were read and
// before they are followed are gone.
func TestTruncateBeforeFollow(t *testing.T) {
	ctx := t.Context()
	url := pgtemp.Shared(t).Database(t, worldSQL)
	db := &database{openPool(ctx, t, url), t}
	pool, queried := hookedPool(t, url)
	source := newScripted()
	client, err := rowsync.Open(ctx, pool, &rowsync.Options{
		Source: source, Watchers: []rowsync.Watcher{rowsync.WatchModel[Post](rowsync.With("Comments"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l, err := rowsync.Query[Post](ctx, client, rowsync.Select{With: []string{"Comments"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	db.exec("insert into posts (title) values ('one'); insert into comments (post_id, body) values (1, 'hi')")
	var truncated atomic.Bool
	truncate := func(sql string) {
		if strings.Contains(sql, `"comments"`) && truncated.CompareAndSwap(false, true) {
			db.exec("truncate comments")
			source.tell(rowsync.Truncated, "comments", "")
		}
	}
	queried.f.Store(&truncate)
	source.tell(rowsync.Inserted, "posts", "1")
	empty := show([]*Post{{ID: 1, Title: "one", Comments: []Comment{}}})
	await(t, l, func(posts []*Post, _ error) bool { return show(posts) == empty })
	if !truncated.Load() {
		t.Error("comments were not read")
	}
}

// TestLoadTimeoutOfLive: LoadTimeout bounds what a Live reads, which catches up
// when the database answers again.
func TestLoadTimeoutOfLive(t *testing.T) {
	ctx := t.Context()
	db := &database{openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL)), t}
	source := newScripted()
	client, err := rowsync.Open(ctx, db.Pool, &rowsync.Options{
		Source: source, Watchers: []rowsync.Watcher{rowsync.WatchModel[Person]()}, LoadTimeout: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l := query[Person](t, client, rowsync.Select{})
	db.exec("insert into people (name) values ('ada')")
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, "lock table people in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	source.tell(rowsync.Inserted, "people", "1")
	await(t, l, func([]*Person, error) bool { return l.Err() != nil }) // not the error of await's own deadline
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, l, func(people []*Person, err error) bool { return len(people) == 1 && err == nil })
}
