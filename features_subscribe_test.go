package rowsync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rowsync/rowsync"
)

// userWatches are watchers of users, with and without a label.
func userWatches() []rowsync.Watcher {
	return []rowsync.Watcher{
		rowsync.Watch{Model: User{}, ExtraColumns: []string{"role_id"}},
		rowsync.Watch{Table: "users", Label: "labelled", ExtraColumns: []string{"role_id", "email"}, On: rowsync.Inserted | rowsync.Updated},
		rowsync.Watch{Model: User{}, Label: "key only"},
		rowsync.Watch{Table: "roles", Label: "roles"},
		rowsync.WatchModel[UserRole](),
	}
}

// TestA09Subscribe: to all rows, to one by its key, to those that hold a value
// in an association column, before a change or after it. A null is a null.
func TestA09Subscribe(t *testing.T) {
	users := rowsync.On[User](rowsync.AnyOp)
	one, nobody := int64(1), (*int64)(nil)
	tests := map[string]struct {
		targets []rowsync.Target
		sql     string
		want    []string
	}{
		"all": {[]rowsync.Target{users}, `update users set phone = 'x' where id < 3; delete from users where id = 3`,
			[]string{"users update id=1 role_id=1 → id=1 role_id=1", "users update id=2 role_id=2 → id=2 role_id=2", "users delete id=3 role_id=null"}},
		"key": {[]rowsync.Target{users.Key(2)}, `update users set phone = 'x'; delete from users`,
			[]string{"users update id=2 role_id=2 → id=2 role_id=2", "users delete id=2 role_id=2"}},
		"key and all inserts": {[]rowsync.Target{users.Key(2), users.Only(rowsync.Inserted)}, `insert into users (email) values ('d'); delete from users`,
			[]string{"users insert id=4 role_id=null", "users delete id=2 role_id=2"}},
		"column": {[]rowsync.Target{users.Where("role_id", 1)}, `update users set role_id = 3 - role_id; insert into users (email, role_id) values ('d', 2), ('e', 1)`,
			[]string{"users update id=1 role_id=1 → id=1 role_id=2", "users update id=2 role_id=2 → id=2 role_id=1", "users insert id=5 role_id=1"}},
		"column, by its field and a pointer": {[]rowsync.Target{users.Where("RoleID", &one)}, `delete from users`, []string{"users delete id=1 role_id=1"}},
		"null": {[]rowsync.Target{users.Where("role_id", nil)}, `update users set role_id = case id when 1 then null when 3 then 2 else 2 end; update users set role_id = 1`,
			[]string{"users update id=1 role_id=1 → id=1 role_id=null", "users update id=3 role_id=null → id=3 role_id=2", "users update id=1 role_id=null → id=1 role_id=1"}},
		"nil pointer": {[]rowsync.Target{users.Where("role_id", nobody)}, `delete from users`, []string{"users delete id=3 role_id=null"}},
		"some operations": {[]rowsync.Target{rowsync.On[User](rowsync.Inserted | rowsync.Deleted), rowsync.Label("labelled").Only(rowsync.Updated).Key(1)},
			`insert into users (email) values ('d'); update users set phone = 'x'; delete from users where id < 3`,
			[]string{"users insert id=4 role_id=null", "labelled: users update email=ann@example.org id=1 role_id=1 → email=ann@example.org id=1 role_id=1",
				"users delete id=1 role_id=1", "users delete id=2 role_id=2"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := openUsers(t, userWatches()...)
			w.follow(test.targets...)
			w.tells(test.sql, test.want...)
		})
	}
}

// TestA09Errors: what cannot be followed is refused with the reason; of several
// targets, none is followed if one is wrong, and every mistake comes back.
func TestA09Errors(t *testing.T) {
	w := openUsers(t, userWatches()...)
	users, labelled := rowsync.On[User](rowsync.AnyOp), rowsync.Label("labelled")
	tests := map[string]struct {
		target rowsync.Target
		want   string
	}{
		"column of no association": {labelled.Where("email", "x"),
			`column "email" of table public.users is not an association column: it refers to no other row by a foreign key or a belongs to association; it refers by role_id`},
		"… where there are none": {rowsync.Label("roles").Where("name", "x"),
			`column "name" of table public.roles is not an association column: it refers to no other row by a foreign key or a belongs to association; it has none: name those that have no foreign key in AssociationColumns`},
		"the key as a column": {rowsync.On[UserRole](rowsync.Inserted).Where("id", 1),
			`column "id" of model UserRole (public.roles) is not an association column: it refers to no other row by a foreign key or a belongs to association; it has none`},
		"column that does not travel": {rowsync.Label("key only").Where("RoleID", 1),
			`column "RoleID" is an association column of model User (public.users), but it does not travel with the changes: name it in ExtraColumns of watch "key only" of rowsync_test.User`},
		"unknown column":        {users.Where("owner", 1), `model User (public.users) has no column "owner"; it has: id, email, phone, nickName, role_id`},
		"inserts by key":        {users.Only(rowsync.Inserted).Key(1), `inserted rows of model User (public.users) cannot be followed by primary key: the key does not exist before the row does; follow all inserts or an association column`},
		"key too long":          {labelled.Key(1, 2), `2 values for the key of table public.users: pass one for each of id`},
		"null key":              {users.Key(nil), `null for key column id of model User (public.users): a key is never null`},
		"unknown label":         {rowsync.Label("label"), `no watcher has the label "label"; the labels are: "mark", "roles", "labelled", "key only"`},
		"operation not watched": {labelled.Only(rowsync.Deleted), `watcher "labelled" does not tell of deleted rows: it watches inserted|updated`},
		"no operation left":     {users.Only(rowsync.Inserted).Only(rowsync.Deleted), `operations "none" of model User (public.users): name Inserted, Updated, Deleted or several of them`},
		"model not watched":     {rowsync.On[Post](rowsync.Updated), `model Post (public.posts) is not watched: add rowsync.Watch{Model: rowsync_test.Post{}} or rowsync.WatchModel[rowsync_test.Post]() to Options.Watchers`},
		"key and column":        {users.Key(1).Where("role_id", 1), `target (User, inserted|updated|deleted) with key [1] where role_id = 1 has both a key and a column: use either Key or Where`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantLines(t, w.sub.SubscribeTo(test.target), "subscribe: ", test.want)
			wantLines(t, w.sub.UnsubscribeFrom(test.target), "unsubscribe: ", test.want)
		})
	}
	wantLines(t, w.sub.SubscribeTo(users, users.Key(nil), labelled, labelled.Key(1, 2)), "subscribe: ", tests["null key"].want, tests["key too long"].want)
	w.tells(`update users set phone = 'x'`)
}

// TestA09Twice: what is followed in several ways is told once.
func TestA09Twice(t *testing.T) {
	w := openUsers(t, userWatches()...)
	users, labelled := rowsync.On[User](rowsync.AnyOp), rowsync.Label("labelled")
	w.follow(users, users.Key(1), users.Where("role_id", 1), users)
	w.follow(users, labelled, labelled, labelled.Where("role_id", 1), labelled.Key(1))
	if _, err := w.sub.Subscribe(&User{ID: 1}); err == nil {
		t.Error("Subscribe to a value of a model that no WatchModel watches did not fail")
	}
	w.tells(`update users set phone = 'x' where id = 1`, "users update id=1 role_id=1 → id=1 role_id=1",
		"labelled: users update email=ann@example.org id=1 role_id=1 → email=ann@example.org id=1 role_id=1")
}

// TestA10Unsubscribe: with the same arguments, for the operations that they
// name; and by closing the Subscriber, or the end of its context.
func TestA10Unsubscribe(t *testing.T) {
	w := openUsers(t, userWatches()...)
	users, labelled := rowsync.On[User](rowsync.AnyOp), rowsync.Label("labelled")
	const all = `insert into users (email, role_id) values ('d', 1); update users set phone = 'x' where id = 1; delete from users where email = 'd'`
	w.follow(users, users.Key(1), users.Where("role_id", 1), labelled, labelled.Where("role_id", nil))

	without := func(targets ...rowsync.Target) {
		t.Helper()
		if err := w.sub.UnsubscribeFrom(targets...); err != nil {
			t.Fatal(err)
		}
	}
	without(users.Only(rowsync.Inserted|rowsync.Deleted), labelled)
	w.tells(`update users set phone = 'x' where id = 2`, "users update id=2 role_id=2 → id=2 role_id=2")
	w.tells(all, "users insert id=4 role_id=1", "users update id=1 role_id=1 → id=1 role_id=1", "users delete id=4 role_id=1")
	without(users.Where("role_id", 1).Only(rowsync.Deleted), users.Where("role_id", 1).Only(rowsync.Inserted))
	w.tells(all, "users update id=1 role_id=1 → id=1 role_id=1")
	without(users, users.Where("role_id", 1), users.Key(2)) // of which the last was never followed
	w.tells(all, "users update id=1 role_id=1 → id=1 role_id=1")
	without(users.Key(1))
	w.tells(all)
	w.tells(`update users set email = 'c' where id = 3`, "labelled: users update email=cem@example.org id=3 role_id=null → email=c id=3 role_id=null")
	without(labelled.Where("role_id", nil))
	w.tells(`update users set email = 'cem' where id = 3`)

	// Closing one Subscriber takes nothing from another.
	ctx, cancel := context.WithCancel(t.Context())
	others := []*rowsync.Subscriber{w.client.NewSubscriber(t.Context()), w.client.NewSubscriber(ctx)}
	for _, sub := range others {
		if err := sub.SubscribeTo(users, labelled); err != nil {
			t.Fatal(err)
		}
	}
	w.follow(users.Key(1))
	others[0].Close()
	cancel()
	for _, sub := range others {
		for ev, err := range sub.Events(t.Context()) { // ends once the Subscriber is closed
			t.Errorf("told %s, %v", ev, err)
		}
		if err := sub.SubscribeTo(users); !errors.Is(err, rowsync.ErrClosed) {
			t.Errorf("SubscribeTo of a closed Subscriber: %v", err)
		}
	}
	w.tells(all, "users update id=1 role_id=1 → id=1 role_id=1")
}

// TestEventsEnd: the iterator ends with the error of its context, or without
// one when the Subscriber is closed; what waited is not lost by the first.
func TestEventsEnd(t *testing.T) {
	w := openUsers(t, userWatches()...)
	w.follow(rowsync.On[User](rowsync.AnyOp))
	because := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(time.Millisecond, func() { cancel(because) })
	for range 2 { // waiting, and from the start
		var ends []error
		for ev, err := range w.sub.Events(ctx) {
			if ev.Table != nil || ev.Reset != nil {
				t.Errorf("told %s", ev)
			}
			ends = append(ends, err)
		}
		if len(ends) != 1 || !errors.Is(ends[0], because) {
			t.Errorf("Events ended with %v, want %v once", ends, because)
		}
	}
	w.exec(`update users set phone = 'x' where id = 1`)
	next(t, w.sub)
	time.AfterFunc(time.Millisecond, w.sub.Close)
	for ev, err := range w.sub.Events(t.Context()) {
		t.Errorf("told %s, %v by a closed Subscriber", ev, err)
	}
}

// TestHandle: each event goes to the function, one after the other, until it
// returns an error, the context ends, or the Subscriber is closed.
func TestHandle(t *testing.T) {
	w := openUsers(t, userWatches()...)
	w.follow(rowsync.On[User](rowsync.AnyOp))
	for range 3 {
		w.exec(`update users set phone = 'x' where id = 1`)
	}
	enough := errors.New("enough")
	calls := 0
	handle := func(ctx context.Context, ev rowsync.Event) error {
		if ev.Op != rowsync.Updated || ctx.Err() != nil {
			t.Errorf("handle was called with %s", ev)
		}
		if calls++; calls == 2 {
			return fmt.Errorf("handle: %w", enough)
		}
		return nil
	}
	if err := w.sub.Handle(t.Context(), handle); !errors.Is(err, enough) || calls != 2 {
		t.Errorf("Handle returned %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := w.sub.Handle(ctx, func(context.Context, rowsync.Event) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("Handle returned %v after %d calls", err, calls)
	}
	w.exec(`update users set phone = 'x' where id = 1`)
	err = w.sub.Handle(t.Context(), func(context.Context, rowsync.Event) error { w.sub.Close(); return nil })
	if err != nil {
		t.Errorf("Handle of a closed Subscriber returned %v", err)
	}
}
