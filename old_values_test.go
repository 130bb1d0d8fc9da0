package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/pgtemp"
)

// archive keeps every value that was handed out, with a deep copy of what it
// was then. It may be used from any goroutine.
type archive struct {
	mu   sync.Mutex
	kept []oldValue
}

type oldValue struct {
	from  string
	value any
	was   any
}

func (a *archive) keep(from string, v any) {
	old := oldValue{from, v, deepCopy(reflect.ValueOf(v)).Interface()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = append(a.kept, old)
}

// check fails for each value that differs from its copy.
func (a *archive) check(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	byShape := map[string]int{}
	for _, old := range a.kept {
		byShape[old.from]++
		if !reflect.DeepEqual(old.value, old.was) {
			t.Errorf("%s: a value that was handed out was altered\n%s", old.from, difference(show(old.value), show(old.was)))
		}
	}
	t.Logf("%d values: %v", len(a.kept), byShape)
}

// deepCopy returns a value that shares no memory with v.
func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepCopy(v.Index(i)))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	default:
		out.Set(v)
	}
	return out
}

// first is a load function for the first of a list, or the zero value.
func first[T any](load func(context.Context) ([]T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (one T, err error) {
		all, err := load(ctx)
		if err == nil && len(all) > 0 {
			one = all[0]
		}
		return one, err
	}
}

// structs is a load function for a list of structs instead of pointers.
func structs[T any](load func(context.Context) ([]*T, error)) func(context.Context) ([]T, error) {
	return func(ctx context.Context) ([]T, error) {
		pointers, err := load(ctx)
		out := make([]T, len(pointers))
		for i, p := range pointers {
			out[i] = *p
		}
		return out, err
	}
}

// handOutSynced keeps what Sync makes of a value, event by event, and what it
// makes of old events of older values, until ctx ends.
func handOutSynced[T any](ctx context.Context, t *testing.T, a *archive, c *rowsync.Client, load func(context.Context) (T, error), paths ...string) (run func()) {
	t.Helper()
	sub := c.NewSubscriber(ctx)
	if err := sub.SubscribeTo(rowsync.On[Post](rowsync.AnyOp), rowsync.On[Person](rowsync.AnyOp)); err != nil {
		t.Fatal(err)
	}
	shape := fmt.Sprintf("Sync of %s", reflect.TypeFor[T]())
	value, err := rowsync.Load(ctx, sub, load, rowsync.With(paths...))
	if err != nil {
		t.Fatal(err)
	}
	a.keep(shape, value)
	return func() {
		rng := rand.New(rand.NewPCG(1, uint64(len(paths))))
		for ev, err := range sub.Events(ctx) {
			if err != nil {
				return
			}
			next, err := rowsync.Sync(ctx, sub, value, ev)
			if errors.Is(err, rowsync.ErrReset) {
				next, err = rowsync.Load(ctx, sub, load, rowsync.With(paths...))
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Errorf("%s: %s: %v", shape, ev, err)
				return
			}
			a.keep(shape, next)
			if rng.IntN(4) > 0 { // otherwise the next event is taken in by the older value
				value = next
			}
		}
	}
}

// handOutLive keeps what a Live shows, until ctx ends.
func handOutLive[T any](ctx context.Context, t *testing.T, a *archive, live *rowsync.Live[T], err error) (run func()) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(live.Close)
	shape := fmt.Sprintf("Live of %s", reflect.TypeFor[T]())
	return func() {
		for v := range live.Changes(ctx) {
			a.keep(shape, v)
			a.keep(shape, live.Value())
		}
	}
}

// TestOldValuesNeverAltered keeps every value that Sync and Live ever hand out,
// in every shape, while several hundred random statements are made and readers
// are killed, and compares each with a deep copy at the end.
func TestOldValuesNeverAltered(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	db := openPool(ctx, t, pgtemp.Shared(t).Database(t, worldSQL))
	ws := newWriters(seed, 2, db)
	ws.write(ctx, t, 15, false)
	client, err := rowsync.Open(ctx, db, &rowsync.Options{Watchers: []rowsync.Watcher{
		rowsync.WatchModel[Post](rowsync.With(everyPost.With...)),
		rowsync.WatchModel[Person](rowsync.With(everyPerson.With...)),
		rowsync.WatchModel[Tag](rowsync.With(everyTag.With...)),
	}, Buffer: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	run, stop := context.WithCancel(ctx)
	a := &archive{}
	var holders sync.WaitGroup
	for _, hold := range append(handOutAllLive(run, t, a, client), handOutAllSynced(run, t, a, client)...) {
		holders.Go(hold)
	}
	last := query[Tag](t, client, rowsync.Select{Where: "id = 'last'"})
	for ws.ops() < 400 {
		ws.write(ctx, t, 2, true)
		if ws.ops()%7 == 0 {
			killReader(ctx, t, db)
		}
	}
	if _, err := db.Exec(ctx, "insert into tags values ('last', 'last')"); err != nil {
		t.Fatal(err)
	}
	await(t, last, func(tags []*Tag, _ error) bool { return len(tags) == 1 }) // so everything before was told
	stop()
	holders.Wait()
	a.check(t)
}

// What the values of TestOldValuesNeverAltered hold.
var (
	everyPost   = rowsync.Select{With: []string{"Author.FavouriteTags", "Editor", "Tags", "HotTags", "Comments"}}
	everyPerson = rowsync.Select{OrderBy: "name", With: []string{"Posts.Tags", "TestPosts", "FavouriteTags", "Fans", "AllTags", "Profile"}}
	everyTag    = rowsync.Select{With: []string{"Posts"}}
)

// handOutAllLive begins to keep what Lives of every shape show.
func handOutAllLive(ctx context.Context, t *testing.T, a *archive, c *rowsync.Client) []func() {
	t.Helper()
	posts, people, tags := loadAll[Post](c, everyPost), loadAll[Person](c, everyPerson), loadAll[Tag](c, everyTag)
	livePosts, err1 := rowsync.Query[Post](ctx, c, everyPost)
	livePeople, err2 := rowsync.Query[Person](ctx, c, everyPerson)
	liveTags, err3 := rowsync.Query[Tag](ctx, c, everyTag)
	livePost, err4 := rowsync.Follow(ctx, c, first(posts), rowsync.With(everyPost.With...))
	liveStructs, err5 := rowsync.Follow(ctx, c, structs(people), rowsync.With(everyPerson.With...))
	liveStruct, err6 := rowsync.Follow(ctx, c, first(structs(tags)), rowsync.With(everyTag.With...))
	return []func(){
		handOutLive(ctx, t, a, livePosts, err1),
		handOutLive(ctx, t, a, livePeople, err2),
		handOutLive(ctx, t, a, liveTags, err3),
		handOutLive(ctx, t, a, livePost, err4),
		handOutLive(ctx, t, a, liveStructs, err5),
		handOutLive(ctx, t, a, liveStruct, err6),
	}
}

// handOutAllSynced begins to keep what Sync makes of values of every shape.
func handOutAllSynced(ctx context.Context, t *testing.T, a *archive, c *rowsync.Client) []func() {
	t.Helper()
	posts, people, tags := loadAll[Post](c, everyPost), loadAll[Person](c, everyPerson), loadAll[Tag](c, everyTag)
	noPost := func(context.Context) (*Post, error) { return nil, nil }
	return []func(){
		handOutSynced(ctx, t, a, c, posts, everyPost.With...),
		handOutSynced(ctx, t, a, c, structs(posts), everyPost.With...),
		handOutSynced(ctx, t, a, c, first(posts), everyPost.With...),
		handOutSynced(ctx, t, a, c, first(structs(posts)), everyPost.With...),
		handOutSynced(ctx, t, a, c, noPost, everyPost.With...),
		handOutSynced(ctx, t, a, c, people, everyPerson.With...),
		handOutSynced(ctx, t, a, c, structs(people), everyPerson.With...),
		handOutSynced(ctx, t, a, c, first(people), everyPerson.With...),
		handOutSynced(ctx, t, a, c, tags, everyTag.With...),
		handOutSynced(ctx, t, a, c, first(structs(tags)), everyTag.With...),
	}
}
