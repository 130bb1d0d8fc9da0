package rowsync_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowsync/rowsync"
)

// A page that saves what its user types has it already: the echo of its own
// write is passed over, and what others write is taken in.
func ExampleSubscriber_Writer() {
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

	page := client.NewSubscriber(ctx)
	defer page.Close()
	article, err := rowsync.Load(ctx, page, func(ctx context.Context) (*Article, error) {
		articles, err := rowsync.LoadAll[Article](ctx, client, rowsync.Select{Where: "id = 1"})
		return articles[0], err
	})
	if err != nil {
		log.Fatal(err)
	}

	const rename = "update articles set title = $1 where id = 1 returning title"
	typed := *article // values are immutable: change a copy
	if err := page.Writer().QueryRow(ctx, rename, "typed here").Scan(&typed.Title); err != nil {
		log.Fatal(err)
	}
	article = &typed

	for ev, err := range page.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		news := page.ShouldUpdate(ev)
		if article, err = rowsync.Sync(ctx, page, article, ev); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, news: %v, shows %q\n", ev, news, article.Title)
		if news {
			break
		}
		if _, err := db.Exec(ctx, rename, "written elsewhere"); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// update public.articles [1], news: false, shows "typed here"
	// update public.articles [1], news: true, shows "written elsewhere"
}
