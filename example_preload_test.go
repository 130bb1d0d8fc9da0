package rowsync_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// Rows that pgx has read, whatever the query was, get their associations with
// one statement for each.
func ExamplePreload() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()
	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Article](rowsync.With("Labels"))},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := db.Exec(ctx, "insert into articles_labels values (1, 2), (1, 1)"); err != nil {
		log.Fatal(err)
	}

	rows, err := db.Query(ctx, "select * from articles where title like 'C%'")
	if err != nil {
		log.Fatal(err)
	}
	articles, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Article])
	if err != nil {
		log.Fatal(err)
	}
	if err := rowsync.Preload(ctx, client, articles, "Labels"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(titles(articles))
	// Output:
	// Channels [go sql]
}

// The row that changed, as it is now, read once however many ask for it.
func ExampleGet() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()
	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Article](rowsync.With("Labels"))},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	sub := client.NewSubscriber(ctx)
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.On[Article](rowsync.Updated)); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, "insert into articles_labels values (1, 1); update articles set title = 'Locks' where id = 1"); err != nil {
		log.Fatal(err)
	}
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		article, err := rowsync.Get[Article](ctx, sub, ev, "Labels")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(titles([]*Article{article})) // nil, had it been deleted meanwhile
		break
	}
	// Output:
	// Locks [go]
}
