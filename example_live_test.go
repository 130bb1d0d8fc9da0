package rowsync_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowsync/rowsync"
)

// The first two articles by title, whatever comes, goes, or changes its name.
func ExampleQuery() {
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

	live, err := rowsync.Query[Article](ctx, client, rowsync.Select{
		Where: "title <> $1", Args: []any{"Draft"}, OrderBy: "title", Limit: 2, With: []string{"Labels"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer live.Close()

	steps := []string{
		"insert into articles (title) values ('Generics')",
		"update articles set title = 'Interfaces' where title = 'Channels'",
		"update articles set title = 'Draft' where title = 'Generics'",
	}
	for articles, err := range live.Changes(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(titles(articles))
		if len(steps) == 0 {
			break
		}
		if _, err := db.Exec(ctx, steps[0]); err != nil {
			log.Fatal(err)
		}
		steps = steps[1:]
	}
	// Output:
	// Channels [] · Triggers []
	// Channels [] · Generics []
	// Generics [] · Interfaces []
	// Interfaces [] · Triggers []
}

// A load function of one's own decides what the value is, and is asked again
// when rows of its model's table have changed.
func ExampleFollow() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()
	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Article]()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	newest := func(ctx context.Context) (*Article, error) {
		a := &Article{}
		err := db.QueryRow(ctx, "select id, title from articles order by id desc limit 1").Scan(&a.ID, &a.Title)
		return a, err
	}
	live, err := rowsync.Follow(ctx, client, newest)
	if err != nil {
		log.Fatal(err)
	}
	defer live.Close()

	fmt.Println(live.Value().Title)
	if _, err := db.Exec(ctx, "insert into articles (title) values ('Generics')"); err != nil {
		log.Fatal(err)
	}
	for article := range live.Changes(ctx) {
		if article.Title != "Triggers" {
			fmt.Println(article.Title)
			break
		}
	}
	// Output:
	// Triggers
	// Generics
}
