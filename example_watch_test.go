package rowsync_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowsync/rowsync"
)

// A watcher of a table without a model, which tells only of updates that change
// the column title.
func ExampleWatch() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()

	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.Watch{
			Table: "articles", Label: "title_changed", On: rowsync.Updated,
			TriggerColumns: []string{"title"}, ExtraColumns: []string{"title"},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	sub := client.NewSubscriber(ctx)
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.Label("title_changed")); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, `
		update articles set title = title;
		update articles set title = 'Goroutines' where id = 1`); err != nil {
		log.Fatal(err)
	}
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		was, _ := ev.OldValue("title")
		now, _ := ev.Value("title")
		fmt.Println(ev, was, "→", now)
		break
	}
	// Output:
	// "title_changed": update public.articles [1] Channels → Goroutines
}

// The rows that refer to another one: both when they come to refer to it and
// when they cease to.
func ExampleTarget_Where() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()

	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.Watch{
			Table: "articles_labels", Label: "links", ExtraColumns: []string{"label_id"},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	sub := client.NewSubscriber(ctx)
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.Label("links").Where("label_id", 1)); err != nil {
		log.Fatal(err)
	}
	for _, statement := range []string{
		"insert into articles_labels values (1, 1), (2, 2)",
		"update articles_labels set label_id = 2 where article_id = 1",
	} {
		if _, err := db.Exec(ctx, statement); err != nil {
			log.Fatal(err)
		}
	}
	seen := 0
	_ = sub.Handle(ctx, func(_ context.Context, ev rowsync.Event) error {
		fmt.Println(ev.Op, ev.OldKey(), ev.Key())
		if seen++; seen == 2 {
			sub.Close()
		}
		return nil
	})
	// Output:
	// insert [] [1 1]
	// update [1 1] [1 2]
}

// A change that the database cannot see, told by hand.
func ExampleClient_Broadcast() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()

	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.Watch{Model: Article{}, ExtraColumns: []string{"Title"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	sub := client.NewSubscriber(ctx)
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.On[Article](rowsync.Updated).Key(1)); err != nil {
		log.Fatal(err)
	}
	err = client.Broadcast(rowsync.On[Article](rowsync.Updated),
		map[string]any{"ID": 1, "Title": "Channels"}, map[string]any{"ID": 1, "Title": "Goroutines"})
	if err != nil {
		log.Fatal(err)
	}
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.Key(), ev.Values()["title"])
		break
	}
	// Output:
	// [1] Goroutines
}
