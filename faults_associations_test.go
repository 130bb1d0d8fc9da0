package rowsync_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rowsync/rowsync"
)

type Project struct {
	ID       int64   `db:"id"`
	Tasks    []*Task `db:"-" rowsync:"order=id"`
	Open     []*Task `db:"-" rowsync:"has_many,key=project_id,where=state = 'open',order=id"`
	NotDone  []Task  `db:"-" rowsync:"has_many,key=project_id,where=state <> 'done',order=id"`
	Either   []*Task `db:"-" rowsync:"has_many,key=project_id,where=state in ('open','done'),order=id"`
	Nobodys  []*Task `db:"-" rowsync:"has_many,key=project_id,where=assignee is null,order=id"`
	Shouted  []*Task `db:"-" rowsync:"has_many,key=project_id,where=assignee ~ '^[A-Z]+$' and hidden,order=id"`
	Finished *Task   `db:"-" rowsync:"has_one,key=project_id,where=state = 'done',order=id"`
	Helpers  []*Task `db:"-" rowsync:"many_to_many=helpers,ref=task_id,where=state = 'open',order=id"`
}

type Task struct {
	ID        int64   `db:"id"`
	ProjectID int64   `db:"project_id"`
	State     string  `db:"state"`
	Assignee  *string `db:"assignee"`
}

// TestFaultFilteredAssociation: an association with a condition is neither left
// nor entered with EctoSync. Here the database decides, whatever the condition,
// also by a column that the model does not have.
func TestFaultFilteredAssociation(t *testing.T) {
	q := rowsync.Select{With: []string{"Tasks", "Open", "NotDone", "Either", "Nobodys", "Shouted", "Finished", "Helpers"}}
	client, db := openTables(t, `create table projects (id bigint primary key);
		create table tasks (id bigint primary key, project_id bigint not null, state text not null, assignee text, hidden boolean not null default false);
		create table helpers (project_id bigint not null, task_id bigint not null);
		insert into projects values (1), (2); insert into tasks values (1, 1, 'open', null), (2, 1, 'done', 'ada'), (3, 2, 'new', 'BOB');
		insert into helpers values (1, 2), (1, 3), (2, 1), (2, 3)`,
		rowsync.WatchModel[Project](rowsync.With(q.With...)))
	h := holdBoth[Project](t, client, db, q)
	for _, state := range []string{"done", "open", "new", "open", "done"} {
		h.after(fmt.Sprintf("update tasks set state = '%s'", state))
	}
	h.after("update tasks set assignee = null", "update tasks set assignee = 'EVE'")
	h.after("update tasks set hidden = true")
	h.after("update tasks set hidden = false where id = 1")
	h.after("update tasks set state = 'open', project_id = 3 - project_id where project_id < 3")
	h.after("delete from tasks where id = 2", "insert into tasks values (2, 2, 'open', 'X', true)")
	if len(h.value[1].Open) == 0 || len(h.value[0].Helpers) == 0 {
		t.Errorf("got %s, want a project with open tasks and helpers", show(h.value))
	}
}

// TestFaultFilteredAssociationWithoutOrder: without an order, who belongs is
// decided row by row.
func TestFaultFilteredAssociationWithoutOrder(t *testing.T) {
	q := rowsync.Select{With: []string{"Tags", "HotTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(q.With...)), rowsync.WatchModel[Person]())
	db.exec(`insert into posts (title) values ('one'), ('two'); insert into tags values ('a', 'apple'), ('z', 'zebra');
		insert into posts_tags select p.id, t.id from posts p, tags t`)
	settle(t, client, db)
	h := holdBoth[Post](t, client, db, q)
	h.after("update tags set name = 'ant' where id = 'z'")
	h.after("update tags set name = 'nut'")
	h.after("update tags set name = 'bee' where id = 'a'")
}

// TestFaultMovedInFromNobody: EctoSync misses a row that moves in from a parent
// that nobody holds.
func TestFaultMovedInFromNobody(t *testing.T) {
	q := rowsync.Select{Where: "id = 1", With: []string{"Posts.Tags", "Posts.Comments", "TestPosts", "Profile", "AllTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With(q.With...)))
	db.exec(`insert into people (name) values ('ada'), ('bob'); insert into profiles (person_id, bio) values (2, 'of bob');
		insert into posts (title, author_id) values ('one', 1), ('test two', 2), ('test three', null);
		insert into comments (post_id, body) values (1, 'a'), (2, 'b'), (3, 'c'); insert into tags values ('z', 'zebra'); insert into posts_tags values (2, 'z')`)
	settle(t, client, db)
	h := holdBoth[Person](t, client, db, q)
	h.after("update posts set author_id = 1 where id = 2")
	h.after("update posts set author_id = 1 where id = 3")
	h.after("update profiles set person_id = 1")
	h.after("update comments set post_id = 1")
	h.after("update posts set author_id = 2")
	if len(h.value[0].Posts) != 0 {
		t.Errorf("got %s, want no posts", show(h.value))
	}
}

// TestFaultForeignKeyChange: who holds the new owner is told of a row that moves
// in, and who holds the old one of a row that moves out. EctoSync tells one.
func TestFaultForeignKeyChange(t *testing.T) {
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With("Comments")), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'), ('two'), ('three'); insert into comments (post_id, body) values (1, 'hi')")
	settle(t, client, db)
	var each []*heldBoth[Post]
	for id := 1; id <= 3; id++ {
		each = append(each, holdBoth[Post](t, client, db, rowsync.Select{Where: fmt.Sprint("id = ", id), With: []string{"Comments"}}))
	}
	for _, to := range []int{2, 3, 1} {
		db.exec("update comments set post_id = $1", to)
		for i, h := range each {
			h.after()
			if got := len(h.value[0].Comments); (got == 1) != (i+1 == to) {
				t.Errorf("post %d has %d comments, the one comment is of post %d", i+1, got, to)
			}
		}
	}
}

// TestFaultLinkRepointed: EctoSync ignores the update of a join row.
func TestFaultLinkRepointed(t *testing.T) {
	posts := rowsync.Select{With: []string{"Tags", "HotTags"}}
	people := rowsync.Select{With: []string{"Fans", "AllTags", "FavouriteTags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](rowsync.With(posts.With...)), rowsync.WatchModel[Person](rowsync.With(people.With...)))
	db.exec(`insert into people (name) values ('ada'), ('bob'), ('cem'); insert into posts (title, author_id) values ('one', 1), ('two', 2);
		insert into tags values ('a', 'apple'), ('z', 'zebra'); insert into posts_tags values (1, 'a');
		insert into favourite_tags values (1, 'a'); insert into friends (person_id, friend_id) values (1, 2)`)
	settle(t, client, db)
	hp, hq := holdBoth[Post](t, client, db, posts), holdBoth[Person](t, client, db, people)
	for _, sql := range []string{
		"update posts_tags set tag_id = 'z'",
		"update posts_tags set post_id = 2",
		"update posts_tags set post_id = 1, tag_id = 'a'",
		"update favourite_tags set person_id = 2", // a table without a primary key
		"update favourite_tags set tag_id = 'z'",
		"update friends set person_id = 3",
		"update friends set friend_id = 1",
		"update friends set person_id = friend_id, friend_id = person_id",
	} {
		hp.after(sql)
		hq.after()
	}
}

type Unit struct {
	ID       int64   `db:"id"`
	ParentID *int64  `db:"parent_id"`
	Name     string  `db:"name"`
	Parent   *Unit   `db:"-" rowsync:"belongs_to,key=parent_id"`
	Children []*Unit `db:"-" rowsync:"has_many,key=parent_id,order=name, id"`
	Peers    []*Unit `db:"-" rowsync:"many_to_many=peers,key=unit_id,ref=peer_id,order=id"`
}

// TestFaultSelfReference: EctoSync never patches what a row holds of its own
// table.
func TestFaultSelfReference(t *testing.T) {
	q := rowsync.Select{With: []string{"Parent.Parent", "Children.Children.Peers", "Peers.Children"}}
	client, db := openTables(t, `create table units (id bigint primary key, parent_id bigint references units on delete cascade, name text not null);
		create table peers (unit_id bigint references units on delete cascade, peer_id bigint references units on delete cascade);
		insert into units values (1, null, 'u1'), (2, 1, 'u2'), (3, 2, 'u3'), (4, 2, 'u4'), (5, null, 'u5');
		insert into peers values (1, 5), (3, 4), (4, 3), (2, 2)`, rowsync.WatchModel[Unit](rowsync.With(q.With...)))
	h := holdBoth[Unit](t, client, db, q, rowsync.On[Unit](rowsync.AnyOp))
	h.after("update units set name = 'root' where id = 1")
	h.after("update units set name = 'leaf' where id = 3")
	h.after("update units set name = name || '!'")
	h.after("insert into units values (6, 3, 'u6')")
	h.after("update units set parent_id = 5 where id = 2")
	h.after("update units set parent_id = null where id = 3")
	h.after("insert into peers values (6, 6), (5, 6)", "update peers set peer_id = 1 where unit_id = 3")
	h.after("update units set parent_id = id where id = 5") // its own parent
	h.after("update units set parent_id = null where id = 5")
	h.after("delete from units where id = 5") // with all below
	if len(h.value) != 3 {
		t.Errorf("%d units are held, want 3", len(h.value))
	}
}

type Album struct {
	ID       int64    `db:"id"`
	ByBytes  []*Track `db:"-" rowsync:"has_many,key=album_id,order=name collate \"C\" nulls first, id"`
	ByTongue []*Track `db:"-" rowsync:"has_many,key=album_id,order=name collate \"und-x-icu\" desc nulls last, id"`
	ByLength []Track  `db:"-" rowsync:"has_many,key=album_id,order=seconds desc nulls last, length(name), id"`
	Best     []*Track `db:"-" rowsync:"many_to_many=best,order=name collate \"und-x-icu\" nulls last, id"`
}

type Track struct {
	ID      int64   `db:"id"`
	AlbumID *int64  `db:"album_id"`
	Name    *string `db:"name"`
}

// TestFaultAssociationOrder: EctoSync appends, whatever order an association
// declares. Here the database says which it is, with its collations and nulls.
func TestFaultAssociationOrder(t *testing.T) {
	q := rowsync.Select{With: []string{"ByBytes", "ByTongue", "ByLength", "Best"}}
	client, db := openTables(t, `create table albums (id bigint primary key);
		create table tracks (id bigint primary key, album_id bigint, name text, seconds int);
		create table best (album_id bigint not null, track_id bigint not null);
		insert into albums values (1), (2);
		insert into tracks values (1, 1, 'Zebra', 3), (2, 1, 'apple', null), (3, 1, 'Ärger', 2), (4, 1, null, 1), (5, 2, 'zoo', 9);
		insert into best select 1, id from tracks`, rowsync.WatchModel[Album](rowsync.With(q.With...)))
	h := holdBoth[Album](t, client, db, q)
	ids := func(tracks []*Track) (ids []int64) {
		for _, x := range tracks {
			ids = append(ids, x.ID)
		}
		return ids
	}
	if got := fmt.Sprint(ids(h.value[0].ByBytes), ids(h.value[0].ByTongue)); got != "[4 1 2 3] [1 3 2 4]" {
		t.Errorf("the tracks are %s in the two orders", got)
	}
	h.after("insert into tracks values (6, 1, 'ähnlich', 2)", "insert into best values (1, 6)")
	h.after("insert into tracks values (7, 1, null, null)")
	h.after("update tracks set name = 'Aal' where id = 1")
	h.after("update tracks set name = null where id = 3", "update tracks set name = 'émile' where id = 4")
	h.after("update tracks set seconds = null where id = 1") // no column of the model
	h.after("update tracks set seconds = 100 where id = 2")
	h.after("update tracks set album_id = 1 where id = 5", "update tracks set album_id = 2 where id = 6")
	h.after("delete from tracks where id = 2")
	h.after("update tracks set name = upper(name)")
}

// TestFaultThrough: EctoSync does not update through associations. Here they
// are right whether the value holds the way or not.
func TestFaultThrough(t *testing.T) {
	alone, beside := rowsync.Select{With: []string{"AllTags"}}, rowsync.Select{With: []string{"AllTags", "Posts.Tags"}}
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Person](rowsync.With(beside.With...)))
	db.exec(`insert into people (name) values ('ada'), ('bob'); insert into posts (title, author_id) values ('one', 1), ('two', 2), ('three', null);
		insert into tags values ('a', 'apple'), ('m', 'melon'), ('z', 'zebra'); insert into posts_tags values (1, 'a'), (2, 'z'), (3, 'm')`)
	settle(t, client, db)
	h1, h2 := holdBoth[Person](t, client, db, alone), holdBoth[Person](t, client, db, beside)
	for _, sql := range []string{
		"insert into posts_tags values (1, 'z')",
		"update posts_tags set tag_id = 'm' where post_id = 1 and tag_id = 'a'",
		"delete from posts_tags where post_id = 2",
		"update posts set author_id = 2 where id = 1",
		"update posts set author_id = 1 where id = 3",
		"update tags set name = 'nut' where id = 'm'",
		"update tags set id = 'n' where id = 'm'",
		"insert into posts (title, author_id) values ('four', 2); insert into posts_tags values (4, 'a'), (4, 'n')",
		"delete from tags where id = 'n'",
		"delete from posts where id = 1",
	} {
		h1.after(sql)
		h2.after()
	}
}

type Book struct {
	ISBN      string     `db:"isbn" rowsync:"key"`
	Title     string     `db:"title"`
	HouseCode *string    `db:"house_code"`
	House     *House     `db:"-" rowsync:"belongs_to,key=house_code"`
	Chapters  []*Chapter `db:"-" rowsync:"has_many,key=book_isbn,order=no"`
	Genres    []*Genre   `db:"-" rowsync:"many_to_many=books_genres,key=book_isbn,ref=genre_word,order=word"`
}

type House struct {
	Code string `db:"code" rowsync:"key"`
	Name string `db:"name"`
}

type Chapter struct {
	BookISBN string `db:"book_isbn" rowsync:"key"`
	No       int    `db:"no" rowsync:"key"`
	Text     string `db:"text"`
}

type Genre struct {
	Word  string `db:"word" rowsync:"key"`
	About string `db:"about"`
}

// TestFaultKeyNotNamedID: EctoSync takes every key to be named id.
func TestFaultKeyNotNamedID(t *testing.T) {
	q := rowsync.Select{With: []string{"House", "Chapters", "Genres"}}
	client, db := openTables(t, `create table houses (code text primary key, name text not null);
		create table books (isbn text primary key, title text not null, house_code text references houses on update cascade on delete set null);
		create table chapters (book_isbn text references books on update cascade on delete cascade, no int, text text not null, primary key (book_isbn, no));
		create table genres (word text primary key, about text not null);
		create table books_genres (book_isbn text references books on update cascade on delete cascade, genre_word text references genres on update cascade on delete cascade);
		insert into houses values ('h', 'House'), ('i', 'Inn'); insert into books values ('1-1', 'one', 'h'), ('2-2', 'two', null);
		insert into chapters values ('1-1', 1, 'once'), ('1-1', 2, 'upon'); insert into genres values ('g', 'grim'), ('j', 'jolly');
		insert into books_genres values ('1-1', 'g'), ('2-2', 'g')`, rowsync.WatchModel[Book](rowsync.With(q.With...)))
	h := holdBoth[Book](t, client, db, q, rowsync.On[Book](rowsync.AnyOp))
	h.after("update books set title = 'uno', house_code = 'i' where isbn = '1-1'")
	h.after("update houses set name = 'Inn!'", "update houses set code = 'k' where code = 'i'")
	h.after("update chapters set text = 'twice' where no = 1", "update chapters set no = 3 where no = 1", "update chapters set book_isbn = '2-2' where no = 2")
	h.after("insert into books_genres values ('1-1', 'j')", "update genres set about = 'merry' where word = 'j'", "delete from genres where word = 'g'")
	h.after("insert into books values ('3-3', 'three', 'k'); insert into chapters values ('3-3', 1, 'time')")
	h.after("update books set isbn = '4-4' where isbn = '3-3'", "delete from books where isbn = '1-1'")
}

// TestArrivalsAreUnfollowed: what arrived below an owner is followed no more
// when the owner leaves, as though it had been loaded with it.
func TestArrivalsAreUnfollowed(t *testing.T) {
	paths := rowsync.With("Comments", "Tags")
	client, db := openWorld(t.Context(), t, rowsync.WatchModel[Post](paths), rowsync.WatchModel[Person]())
	db.exec("insert into posts (title) values ('one'); insert into tags values ('go', 'Go')")
	settle(t, client, db)
	sub := client.NewSubscriber(t.Context())
	posts, err := rowsync.Load(t.Context(), sub, func(ctx context.Context) ([]*Post, error) {
		return rowsync.LoadAll[Post](ctx, client, rowsync.Select{With: paths})
	}, paths)
	if err != nil {
		t.Fatal(err)
	}
	db.exec("insert into comments (post_id, body) values (1, 'hi')")
	posts = synced(t, sub, posts, 1)
	db.exec("insert into posts_tags values (1, 'go')")
	posts = synced(t, sub, posts, 1)
	comment := posts[0].Comments[0]
	db.exec("delete from posts_tags; delete from posts")
	posts = synced(t, sub, posts, 2) // the link, the comment or the post
	for len(posts) > 0 {
		posts = synced(t, sub, posts, 1)
	}
	for _, row := range []any{comment, Comment{ID: comment.ID}, Tag{ID: "go"}, Post{ID: 1}} {
		if follows, err := sub.Subscribed(row); err != nil || follows {
			t.Errorf("%+v is followed: %v, %v", row, follows, err)
		}
	}
}
