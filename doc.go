// Package rowsync keeps Go values in step with the PostgreSQL rows they were
// loaded from.
//
// A [Client] captures the changes of watched tables, made by any client of the
// database. Values are structs as pgx reads them, and whatever their
// associations hold, at any depth; see package model for the tags.
//
// # The easy way
//
// A [Live] value loads, follows and patches itself. [Query] makes one from a
// condition and an order, [Follow] from a load function of your own:
//
//	live, err := rowsync.Query[Post](ctx, client, rowsync.Select{
//		Where: "published", OrderBy: "created_at desc", With: []string{"Tags", "Author"},
//	})
//	posts := live.Value()                          // now
//	for posts, err := range live.Changes(ctx) { … } // and from now on
//
// # By hand
//
// A [Subscriber] follows what it is told to and queues an [Event] for each
// change of it; [Sync] gives the value after the event:
//
//	sub := client.NewSubscriber(ctx)
//	posts, err := rowsync.Load(ctx, sub, listPosts, rowsync.With("Tags"))
//	for ev, err := range sub.Events(ctx) {
//		posts, err = rowsync.Sync(ctx, sub, posts, ev)
//	}
//
// # Only to be told
//
// A [Watch] names a table, or a model, and what shall travel with its changes.
// [Subscriber.SubscribeTo] follows all of its rows, one by its key, or those
// that refer to another row. Nothing is loaded or cached:
//
//	rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}}
//
//	sub.SubscribeTo(rowsync.On[User](rowsync.Updated).Where("role_id", 3))
//	for ev, err := range sub.Events(ctx) {
//		err = ev.Scan("id", &id)
//	}
//
// # What is promised
//
// When the database rests and the events are taken in, a value equals a fresh
// load of it. Events that were lost, to a broken connection that could not be
// resumed, a full buffer or a TRUNCATE, always arrive as a [Reset]: a Live then
// loads anew by itself, other holders must. Values are immutable: what is
// returned shares what did not change with what came before and with other
// holders, so it may be read from any goroutine and must not be altered.
package rowsync
