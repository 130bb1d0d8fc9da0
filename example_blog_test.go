package rowsync_test

import (
	"context"
	"fmt"
	"html"
	"log"
	"strings"

	"github.com/rowsync/rowsync"
)

// A page that lists posts with their tags. Whoever changes a post, a tag or
// which tags a post has, the page shows it: here by a Subscriber of its own that
// holds the posts, as each viewer of the page would have one.
func Example_postsAndTags() {
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

	// When the page is opened: load, and follow what was loaded.
	viewer := client.NewSubscriber(ctx)
	defer viewer.Close()
	load := func(ctx context.Context) ([]*Article, error) {
		return rowsync.LoadAll[Article](ctx, client, rowsync.Select{OrderBy: "title", With: []string{"Labels"}})
	}
	articles, err := rowsync.Load(ctx, viewer, load, rowsync.With("Labels"))
	if err != nil {
		log.Fatal(err)
	}
	render := func() {
		for _, a := range articles {
			fmt.Printf("<li>%s", html.EscapeString(a.Title))
			for _, l := range a.Labels {
				fmt.Printf(" <a>%s</a>", html.EscapeString(l.Name))
			}
			fmt.Println("</li>")
		}
	}
	render()

	// Somebody else links a tag to both articles, and renames the tag.
	for _, sql := range []string{
		"insert into articles_labels values (1, 2), (2, 2)",
		"update labels set name = 'SQL & more' where id = 2",
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			log.Fatal(err)
		}
		for ev, err := range viewer.Events(ctx) {
			if err != nil {
				log.Fatal(err)
			}
			if articles, err = rowsync.Sync(ctx, viewer, articles, ev); err != nil {
				log.Fatal(err) // for a Reset, load again
			}
			if len(articles[1].Labels) > 0 {
				break // a page would go on; the first statement tells of two changes
			}
		}
		render()
	}
	// Output:
	// <li>Channels</li>
	// <li>Triggers</li>
	// <li>Channels <a>sql</a></li>
	// <li>Triggers <a>sql</a></li>
	// <li>Channels <a>SQL &amp; more</a></li>
	// <li>Triggers <a>SQL &amp; more</a></li>
}

// A form with a select of all tags that stays in step while it is open: the rows
// are followed, and so are the inserts of the model, so that a new tag comes in.
func Example_tagSelect() {
	ctx := context.Background()
	db, done := exampleDatabase(ctx)
	defer done()
	client, err := rowsync.Open(ctx, db, &rowsync.Options{
		Watchers: []rowsync.Watcher{rowsync.WatchModel[Label]()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	form := client.NewSubscriber(ctx)
	defer form.Close()
	// Follow the model first and load then: nothing is missed between the two.
	if err := form.SubscribeTo(rowsync.On[Label](rowsync.AnyOp)); err != nil {
		log.Fatal(err)
	}
	labels, err := rowsync.LoadAll[Label](ctx, client, rowsync.Select{})
	if err != nil {
		log.Fatal(err)
	}
	render := func() {
		options := make([]string, len(labels))
		for i, l := range labels {
			options[i] = fmt.Sprintf("<option value=%d>%s</option>", l.ID, html.EscapeString(l.Name))
		}
		fmt.Println(strings.Join(options, " "))
	}
	render()

	for _, sql := range []string{
		"insert into labels (name) values ('css')",
		"update labels set name = 'golang' where name = 'go'",
		"delete from labels where name = 'sql'",
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			log.Fatal(err)
		}
		for ev, err := range form.Events(ctx) {
			if err != nil {
				log.Fatal(err)
			}
			if labels, err = rowsync.Sync(ctx, form, labels, ev); err != nil {
				log.Fatal(err)
			}
			break
		}
		render()
	}
	// Output:
	// <option value=1>go</option> <option value=2>sql</option>
	// <option value=1>go</option> <option value=2>sql</option> <option value=3>css</option>
	// <option value=1>golang</option> <option value=2>sql</option> <option value=3>css</option>
	// <option value=1>golang</option> <option value=3>css</option>
}
