package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rowsync/rowsync"
)

// taggedWorld is a Client on a world with a tag, and posts that have it.
func taggedWorld(t *testing.T, posts int) (*rowsync.Client, *database) {
	t.Helper()
	client, db := openWorld(t.Context(), t,
		rowsync.WatchModel[Post](rowsync.With("Tags")), rowsync.WatchModel[Tag](rowsync.With("Posts")), rowsync.WatchModel[Person]())
	db.exec("insert into tags values ('a', 'apple')")
	db.exec("insert into posts (title) select 'p' || n from generate_series(1, $1) n", posts)
	db.exec("insert into posts_tags select id, 'a' from posts")
	settle(t, client, db)
	return client, db
}

// handHeld is a Subscriber with the value that it holds. sync brings the value up
// to date with the next event, and says what the value then holds.
type handHeld struct {
	sub  *rowsync.Subscriber
	sync func(ctx context.Context, ev rowsync.Event) (string, error)
}

// holdBy holds a value by hand; see says what matters of it.
func holdBy[T any](sub *rowsync.Subscriber, value T, see func(T) string) handHeld {
	return handHeld{sub, func(ctx context.Context, ev rowsync.Event) (string, error) {
		next, err := rowsync.Sync(ctx, sub, value, ev)
		if err == nil {
			value = next
		}
		return see(value), err
	}}
}

func tagName(tag *Tag) string { return tag.Name }

func tagOf(posts []*Post) string { return posts[0].Tags[0].Name }

// tagHolders are n Subscribers that hold the tag: one half as a tag, one as
// that of a post; one half loaded it, one subscribed to what it was given.
func tagHolders(t *testing.T, client *rowsync.Client, n int) []handHeld {
	t.Helper()
	q := rowsync.Select{With: []string{"Tags"}}
	_, posts := loaded[Post](t, client, q)
	_, tags := loaded[Tag](t, client, rowsync.Select{})
	var holders []handHeld
	for i := range n {
		sub := client.NewSubscriber(t.Context())
		var err error
		switch i % 4 {
		case 0:
			_, err = sub.Subscribe(tags[0])
			holders = append(holders, holdBy(sub, tags[0], tagName))
		case 1:
			_, err = sub.Subscribe(posts, rowsync.With("Tags"))
			holders = append(holders, holdBy(sub, posts, tagOf))
		case 2:
			var own []*Tag
			own, err = rowsync.Load(t.Context(), sub, loadAll[Tag](client, rowsync.Select{}))
			holders = append(holders, holdBy(sub, own, func(tags []*Tag) string { return tagName(tags[0]) }))
		default:
			var own []*Post
			own, err = rowsync.Load(t.Context(), sub, loadAll[Post](client, q), rowsync.With("Tags"))
			holders = append(holders, holdBy(sub, own, tagOf))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return holders
}

// read returns how many statements do ran, and how many rows they read.
func read(client *rowsync.Client, do func()) (statements, rows uint64) {
	before := client.Stats()
	do()
	after := client.Stats()
	return after.Statements - before.Statements, after.Rows - before.Rows
}

// TestB11LoadOnce: a thousand hold one tag, alone and as part of posts.
// One change of it is one statement that reads one row, whether all of them
// handle it at once or one after the other.
func TestB11LoadOnce(t *testing.T) {
	client, db := taggedWorld(t, 1)
	holders := tagHolders(t, client, 1_000)
	handle := func(h handHeld, name string) {
		if got, err := h.sync(t.Context(), next(t, h.sub)); err != nil || got != name {
			t.Errorf("the tag is %s, want %s (error: %v)", got, name, err)
		}
	}
	for name, handleAll := range map[string]func(name string){
		"at once": func(name string) {
			var wg sync.WaitGroup
			for _, h := range holders {
				wg.Go(func() { handle(h, name) })
			}
			wg.Wait()
		},
		"one by one": func(name string) {
			for _, h := range holders {
				handle(h, name)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			statements, rows := read(client, func() {
				db.exec("update tags set name = $1", name)
				handleAll(name)
			})
			if statements != 1 || rows != 1 {
				t.Errorf("%d statements read %d rows for one change, want 1 and 1", statements, rows)
			}
		})
	}
}

// TestLoadOnceOfABurst: a statement that changes a thousand rows is read with a
// handful of statements, however many hold them. A Live takes in all events that
// wait at once, and what is wanted while a statement runs is read with one next
// statement. The changes arrive together and are handed out in four parts, so a
// Live may begin to read after each of these: that makes five statements at most
// for the rows, and as many for the order of the tag's posts, which are ordered.
func TestLoadOnceOfABurst(t *testing.T) {
	const changed, most = 1_000, 10
	client, db := taggedWorld(t, changed)
	for _, lists := range []int{1, 50} {
		t.Run(fmt.Sprintf("%d lists", lists), func(t *testing.T) {
			var lives []*rowsync.Live[[]*Tag]
			for range lists {
				lives = append(lives, query[Tag](t, client, rowsync.Select{With: []string{"Posts"}}))
			}
			for round := range 3 {
				suffix := fmt.Sprint(" of round ", round)
				statements, rows := read(client, func() {
					db.exec("update posts set title = 'p' || id || $1", suffix)
					for _, l := range lives {
						await(t, l, func(tags []*Tag, err error) bool {
							for _, p := range tags[0].Posts {
								if p.Title != fmt.Sprint("p", p.ID, suffix) {
									return false
								}
							}
							return err == nil
						})
					}
				})
				t.Logf("%d statements, %d rows", statements, rows)
				if statements > most {
					t.Errorf("%d statements for %d rows, want %d at most", statements, changed, most)
				}
			}
		})
	}
}

// TestLoadOnceOfABurstByHand: the same for those who hold a list by hand and
// give Sync one event after the other.
func TestLoadOnceOfABurstByHand(t *testing.T) {
	const changed, most = 1_000, 6
	client, db := taggedWorld(t, changed)
	for _, lists := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d lists", lists), func(t *testing.T) {
			var holders []handHeld
			for range lists {
				sub, posts := loaded[Post](t, client, rowsync.Select{With: []string{"Tags"}})
				holders = append(holders, holdBy(sub, posts, func(posts []*Post) string { return fmt.Sprint(len(posts)) }))
			}
			statements, rows := read(client, func() {
				db.exec("update posts set title = title || '!'")
				settle(t, client, db) // all of them wait
				var wg sync.WaitGroup
				for _, h := range holders {
					wg.Go(func() {
						for range changed {
							if _, err := h.sync(t.Context(), next(t, h.sub)); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
			t.Logf("%d statements, %d rows", statements, rows)
			if statements > most || rows > most*changed {
				t.Errorf("%d statements read %d rows, want %d at most for %d rows", statements, rows, most, changed)
			}
		})
	}
}

// TestLoadErrorsAreNotKept: a load that fails fails for all who asked, and the
// same event given again is loaded, once for all.
func TestLoadErrorsAreNotKept(t *testing.T) {
	client, db := taggedWorld(t, 1)
	holders := tagHolders(t, client, 100)
	db.exec("update tags set name = 'apricot'")
	events := make([]rowsync.Event, len(holders))
	for i, h := range holders {
		events[i] = next(t, h.sub)
	}
	all := func(check func(name string, err error)) {
		var wg sync.WaitGroup
		for i, h := range holders {
			wg.Go(func() { check(h.sync(t.Context(), events[i])) })
		}
		wg.Wait()
	}
	db.exec("alter table tags rename to hidden")
	all(func(name string, err error) {
		if err == nil || name != "apple" {
			t.Errorf("the tag is %s, error %v; want what was held and the error", name, err)
			return
		}
		wantAll(t, err, "sync", "tags", "does not exist")
	})
	db.exec("alter table hidden rename to tags")
	statements, rows := read(client, func() {
		all(func(name string, err error) {
			if err != nil || name != "apricot" {
				t.Errorf("the tag is %s, error %v", name, err)
			}
		})
	})
	if statements != 1 || rows != 1 {
		t.Errorf("%d statements read %d rows after the error, want 1 and 1", statements, rows)
	}
}

// TestLoadCancelled: whoever gives up a load that others wait for too leaves it
// to them, also if it was he who began it.
func TestLoadCancelled(t *testing.T) {
	client, db := taggedWorld(t, 1)
	holders := tagHolders(t, client, 100)
	db.exec("update tags set name = 'apricot'")
	tx, err := db.Begin(t.Context()) // holds back every read of the table
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "lock table tags in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	statements, _ := read(client, func() {
		first := next(t, holders[0].sub)
		ctx, cancel := context.WithCancelCause(t.Context())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := holders[0].sync(ctx, first)
			gaveUp <- err
		}()
		for !isWaiting(t, db, "AccessShareLock") { // its statement runs
		}
		var begun, wg sync.WaitGroup
		for _, h := range holders[1:] {
			ev := next(t, h.sub)
			begun.Add(1)
			wg.Go(func() {
				begun.Done()
				if name, err := h.sync(t.Context(), ev); err != nil || name != "apricot" {
					t.Errorf("the tag is %s, error %v", name, err)
				}
			})
		}
		begun.Wait()
		bored := errors.New("bored")
		cancel(bored)
		if err := <-gaveUp; !errors.Is(err, bored) {
			t.Errorf("who gave up got error %v", err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if name, err := holders[0].sync(t.Context(), first); err != nil || name != "apricot" {
			t.Errorf("who gave up and tries again has the tag %s, error %v", name, err)
		}
	})
	if statements != 1 {
		t.Errorf("%d statements, want the one that was begun", statements)
	}
}
