package rowsync_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

type Article struct {
	ID     int64    `db:"id"`
	Title  string   `db:"title"`
	Labels []*Label `db:"-" rowsync:"many_to_many=articles_labels,order=name"`
}

type Label struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
}

// A list of articles with their labels that keeps itself in step, whoever
// writes to the database.
func Example() {
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

	live, err := rowsync.Query[Article](ctx, client, rowsync.Select{OrderBy: "title", With: []string{"Labels"}})
	if err != nil {
		log.Fatal(err)
	}
	defer live.Close()

	steps := []string{
		"insert into articles_labels values (1, 1)",
		"update labels set name = 'golang' where id = 1",
		"delete from articles where id = 2",
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
	// Channels [go] · Triggers []
	// Channels [golang] · Triggers []
	// Channels [golang]
}

// By hand: load, follow, and patch the value with each event.
func ExampleSync() {
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
	articles, err := rowsync.Load(ctx, sub, func(ctx context.Context) ([]*Article, error) {
		return rowsync.LoadAll[Article](ctx, client, rowsync.Select{With: []string{"Labels"}})
	}, rowsync.With("Labels"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, "insert into articles_labels values (2, 2)"); err != nil {
		log.Fatal(err)
	}
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev)
		before := articles
		if articles, err = rowsync.Sync(ctx, sub, articles, ev); err != nil {
			log.Fatal(err)
		}
		fmt.Println("before:", titles(before))
		fmt.Println("after: ", titles(articles))
		break
	}
	// Output:
	// insert public.articles_labels [2 2]
	// before: Channels [] · Triggers []
	// after:  Channels [] · Triggers [sql]
}

// Only to be told: no models are loaded and nothing is cached.
func ExampleSubscriber_SubscribeTo() {
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

	sub := client.NewSubscriber(ctx)
	defer sub.Close()
	if err := sub.SubscribeTo(rowsync.On[Article](rowsync.Updated | rowsync.Deleted).Key(2)); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(ctx, "update articles set title = upper(title)"); err != nil {
		log.Fatal(err)
	}
	for ev, err := range sub.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev)
		break
	}
	// Output:
	// update public.articles [2]
}

func titles(articles []*Article) string {
	out := make([]string, len(articles))
	for i, a := range articles {
		names := make([]string, len(a.Labels))
		for j, l := range a.Labels {
			names[j] = l.Name
		}
		out[i] = fmt.Sprintf("%s %v", a.Title, names)
	}
	return strings.Join(out, " · ")
}

// exampleDatabase starts a throwaway PostgreSQL with two articles and two labels.
func exampleDatabase(ctx context.Context) (db *pgxpool.Pool, done func()) {
	server, err := pgtemp.Start(ctx, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if db, err = pgxpool.New(ctx, server.URL()); err != nil {
		log.Fatal(err)
	}
	_, err = db.Exec(ctx, `
		create table articles (id bigint generated always as identity primary key, title text not null);
		create table labels (id bigint generated always as identity primary key, name text not null);
		create table articles_labels (article_id bigint references articles on delete cascade,
			label_id bigint references labels on delete cascade, primary key (article_id, label_id));
		insert into articles (title) values ('Channels'), ('Triggers');
		insert into labels (name) values ('go'), ('sql')`)
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		db.Close()
		_ = server.Stop()
	}
}
