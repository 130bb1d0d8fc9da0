package rowsync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// outcome is what a call with odd input must return.
type outcome struct {
	call func() error
	// want are parts of the error; nil if there is to be none.
	want []string
}

// check calls, and fails if the call panics or returns anything else.
func (o outcome) check(t *testing.T) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v", r)
		}
	}()
	switch err := o.call(); {
	case o.want == nil && err != nil:
		t.Errorf("unexpected error: %v", err)
	case o.want != nil && err == nil:
		t.Errorf("no error; want one that says %q", o.want)
	case err != nil:
		wantAll(t, err, o.want...)
	}
}

func checkAll(t *testing.T, outcomes map[string]outcome) {
	t.Helper()
	for name, o := range outcomes {
		t.Run(name, o.check)
	}
}

// none is for calls that odd input does no harm.
var none []string

// oddWorld opens a world with a post and its author.
func oddWorld(t *testing.T) (*rowsync.Client, *database) {
	t.Helper()
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Tags", "Author")), rowsync.WatchModel[Person]())
	db.exec("insert into people (name) values ('ada'); insert into posts (title, author_id) values ('one', 1)")
	settle(t, client, db)
	return client, db
}

// TestOddValues: Subscribe takes every value of a model and refuses all else.
func TestOddValues(t *testing.T) {
	client, _ := oddWorld(t)
	sub := client.NewSubscriber(t.Context())
	subscribe := func(v any, opts ...rowsync.SubscribeOption) func() error {
		return func() error { _, err := sub.Subscribe(v, opts...); return err }
	}
	checkAll(t, map[string]outcome{
		"nil":                {subscribe(nil), []string{"nil"}},
		"nil pointer":        {subscribe((*Post)(nil)), none},
		"nil elements":       {subscribe([]*Post{nil, {ID: 1, Tags: []*Tag{nil}}}, rowsync.With("Tags")), none},
		"the same row twice": {subscribe([]Post{{ID: 1}, {ID: 1}}), none},
		"nil option":         {subscribe(&Post{ID: 1}, nil), none},
		"pointer to pointer": {subscribe(new(*Post)), []string{"struct"}},
		"array":              {subscribe([1]Post{}), []string{"struct"}},
		"list of any":        {subscribe([]any{&Post{}}), []string{"struct"}},
		"struct of no table": {subscribe(time.Now()), []string{"Time", "no columns"}},
		"model not watched":  {subscribe(&Comment{ID: 1}), []string{"comments", "not watched"}},
		"empty path":         {subscribe(&Post{ID: 1}, rowsync.With("")), []string{`""`}},
		"path that ends":     {subscribe(&Post{ID: 1}, rowsync.With("Tags.")), []string{"Tags."}},
		"paths not watched":  {subscribe(&Post{ID: 1}, rowsync.With("Editor", "Comments")), []string{"not watched"}},
	})
}

// TestOddTargets: SubscribeTo refuses what names no rows.
func TestOddTargets(t *testing.T) {
	client, _ := oddWorld(t)
	sub := client.NewSubscriber(t.Context())
	to := func(target rowsync.Target) func() error {
		return func() error { return sub.SubscribeTo(target) }
	}
	updated := rowsync.On[Post](rowsync.Updated)
	checkAll(t, map[string]outcome{
		"zero":                {to(rowsync.Target{}), []string{"rowsync.On"}},
		"key of no value":     {to(updated.Key()), []string{"0 values", "id"}},
		"key that is text":    {to(updated.Key("abc")), []string{"id", "abc"}},
		"key that is nil":     {to(updated.Key(nil)), []string{"id", "null"}},
		"key, nil pointer":    {to(updated.Key((*int64)(nil))), []string{"id", "null"}},
		"key, fraction":       {to(updated.Key(1.5)), []string{"id", "1.5"}},
		"key out of range":    {to(updated.Key(uint64(1) << 63)), []string{"id", "9223372036854775808"}},
		"key, struct":         {to(updated.Key(struct{}{})), []string{"id", "struct"}},
		"key, function":       {to(updated.Key(func() {})), []string{"id", "func"}},
		"key, channel":        {to(updated.Key(make(chan int))), []string{"id", "chan"}},
		"key of an insert":    {to(rowsync.On[Post](rowsync.Inserted).Key(1)), []string{"inserted", "primary key"}},
		"no association":      {to(updated.Where("title", "x")), []string{"title", "not an association column"}},
		"column without name": {to(updated.Where("", 1)), []string{`""`, "author_id"}},
		"key and column":      {to(updated.Key(1).Where("author_id", 2)), []string{"Key", "Where"}},
		"column and key":      {to(updated.Where("author_id", 2).Key(1)), []string{"Key", "Where"}},
		"truncations":         {to(rowsync.On[Post](rowsync.Truncated)), []string{"Inserted, Updated, Deleted"}},
		"no operation":        {to(rowsync.On[Post](0)), []string{"Inserted, Updated, Deleted"}},
		"unknown operation":   {to(rowsync.On[Post](128)), []string{"Inserted, Updated, Deleted"}},
		"pointer type":        {to(rowsync.On[*Post](rowsync.Updated)), []string{"Post"}},
		"number type":         {to(rowsync.On[int](rowsync.Updated)), []string{"int"}},
		"any type":            {to(rowsync.On[any](rowsync.Updated)), []string{"interface"}},
	})
}

// TestOddModels: types that are no models are refused by all that take one.
func TestOddModels(t *testing.T) {
	ctx := t.Context()
	client, db := oddWorld(t)
	checkAll(t, map[string]outcome{
		"query of no column": {func() error {
			_, err := rowsync.Query[Post](ctx, client, rowsync.Select{Where: "nope"})
			return err
		}, []string{"nope"}},
		"query of numbers": {func() error {
			_, err := rowsync.Query[int](ctx, client, rowsync.Select{})
			return err
		}, []string{"int"}},
		"query of any": {func() error {
			_, err := rowsync.Query[any](ctx, client, rowsync.Select{})
			return err
		}, []string{"interface"}},
		"query of pointers": {func() error {
			_, err := rowsync.Query[*Post](ctx, client, rowsync.Select{})
			return err
		}, []string{"Post"}},
		"follow any": {func() error {
			_, err := rowsync.Follow(ctx, client, func(context.Context) (any, error) { return nil, nil })
			return err
		}, []string{"struct"}},
		"follow a map": {func() error {
			_, err := rowsync.Follow(ctx, client, func(context.Context) (map[string]Post, error) { return nil, nil })
			return err
		}, []string{"map", "key it by the primary key, ID of type int64"}},
		"watch any": {func() error {
			c, err := rowsync.Open(ctx, db.Pool, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[any](), nil}})
			if err == nil {
				c.Close()
			}
			return err
		}, []string{"interface", "WatchModel"}},
	})
}

// TestOddEvents: an Event that no Client made has a text and changes nothing.
func TestOddEvents(t *testing.T) {
	client, db := oddWorld(t)
	sub := client.NewSubscriber(t.Context())
	checkAll(t, map[string]outcome{
		"text of a zero event": {func() error {
			if (rowsync.Event{}).String() == "" {
				return errors.New("no text")
			}
			return nil
		}, none},
		"zero event": {func() error {
			_, err := rowsync.Sync(t.Context(), sub, []*Post{nil}, rowsync.Event{})
			return err
		}, none},
	})
	t.Run("value in an interface", func(t *testing.T) {
		var held any = []*Post{{ID: 1, Title: "one"}}
		sub := client.NewSubscriber(t.Context())
		if _, err := sub.Subscribe(held); err != nil {
			t.Fatal(err)
		}
		db.exec("update posts set title = 'uno'")
		got, err := rowsync.Sync(t.Context(), sub, held, next(t, sub))
		if err != nil {
			t.Fatal(err)
		}
		posts, ok := got.([]*Post)
		if !ok || len(posts) != 1 || posts[0].Title != "uno" {
			t.Errorf("got %s", show(got))
		}
	})
}

type embedded struct {
	ID int64 `db:"id"`
}

type embedsPointer struct {
	_ struct{} `rowsync:"table=people"`
	*embedded
	Name string `db:"name"`
}

// TestEmbeddedPointer: columns behind a pointer that may be nil are refused, or
// are read.
func TestEmbeddedPointer(t *testing.T) {
	_, db := oddWorld(t)
	client, err := rowsync.Open(t.Context(), db.Pool, &rowsync.Options{Watchers: []rowsync.Watcher{rowsync.WatchModel[embedsPointer]()}})
	if err == nil {
		client.Close()
		t.Fatal("Open did not fail")
	}
	wantAll(t, err, "embedsPointer")
}
