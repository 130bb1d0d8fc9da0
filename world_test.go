package rowsync_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The world of the tests: people, posts, tags, comments, and what joins them.

type Person struct {
	ID      int64    `db:"id"`
	Name    string   `db:"name"`
	Profile *Profile `db:"-"`

	Posts     []*Post `db:"-" rowsync:"has_many,key=author_id"`
	TestPosts []*Post `db:"-" rowsync:"has_many,key=author_id,where=title like 'test%',order=title desc, id"`
	// Tags that a person likes, and the people who like a person.
	FavouriteTags []*Tag    `db:"-" rowsync:"many_to_many=favourite_tags,order=name, id"`
	Fans          []*Person `db:"-" rowsync:"many_to_many=friends,key=friend_id,ref=person_id"`
	AllTags       []*Tag    `db:"-" rowsync:"through=Posts.Tags"`
}

type Profile struct {
	ID       int64  `db:"id"`
	PersonID int64  `db:"person_id"`
	Bio      string `db:"bio"`
}

type Post struct {
	ID       int64     `db:"id"`
	Title    string    `db:"title"`
	AuthorID *int64    `db:"author_id"`
	EditorID *int64    `db:"editor_id"`
	Author   *Person   `db:"-"`
	Editor   *Person   `db:"-"`
	Tags     []*Tag    `db:"-" rowsync:"many_to_many=posts_tags"`
	HotTags  []Tag     `db:"-" rowsync:"many_to_many=posts_tags,where=name >= 'm'"`
	Comments []Comment `db:"-"`
}

type Tag struct {
	ID    string  `db:"id"`
	Name  string  `db:"name"`
	Posts []*Post `db:"-" rowsync:"many_to_many=posts_tags,order=title, id"`
}

type Comment struct {
	ID     int64  `db:"id"`
	PostID int64  `db:"post_id"`
	Body   string `db:"body"`
}

const worldSQL = `
create table people (id bigint generated always as identity primary key, name text not null);
create table profiles (id bigint generated always as identity primary key,
	person_id bigint not null unique references people on delete cascade, bio text not null);
create table posts (id bigint generated always as identity primary key, title text not null,
	author_id bigint references people on delete set null, editor_id bigint references people on delete set null);
create table tags (id text primary key, name text not null);
create table posts_tags (post_id bigint not null references posts on delete cascade,
	tag_id text not null references tags on delete cascade on update cascade, primary key (post_id, tag_id));
create table favourite_tags (person_id bigint not null references people on delete cascade,
	tag_id text not null references tags on delete cascade on update cascade);
create table friends (id bigint generated always as identity primary key,
	person_id bigint not null references people on delete cascade, friend_id bigint not null references people on delete cascade);
create table comments (id bigint generated always as identity primary key,
	post_id bigint not null references posts on delete cascade, body text not null);`

// world is all rows of the database, read without rowsync.
type world struct {
	people   map[int64]*Person
	profiles []Profile
	posts    map[int64]*Post
	tags     map[string]*Tag
	comments []Comment
	// links are pairs of what the join tables hold, doubles left out.
	postTags   map[[2]string]bool
	favourites map[[2]string]bool
	friends    map[[2]string]bool
}

func readWorld(ctx context.Context, t testing.TB, db *pgxpool.Pool) *world {
	t.Helper()
	w := &world{people: map[int64]*Person{}, posts: map[int64]*Post{}, tags: map[string]*Tag{}}
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, p := range collect[Person](ctx, t, tx, "people") {
		w.people[p.ID] = &p
	}
	for _, p := range collect[Post](ctx, t, tx, "posts") {
		w.posts[p.ID] = &p
	}
	for _, x := range collect[Tag](ctx, t, tx, "tags") {
		w.tags[x.ID] = &x
	}
	w.profiles = collect[Profile](ctx, t, tx, "profiles")
	w.comments = collect[Comment](ctx, t, tx, "comments")
	w.postTags = pairs(ctx, t, tx, "select post_id::text, tag_id from posts_tags")
	w.favourites = pairs(ctx, t, tx, "select person_id::text, tag_id from favourite_tags")
	w.friends = pairs(ctx, t, tx, "select person_id::text, friend_id::text from friends")
	return w
}

func collect[T any](ctx context.Context, t testing.TB, tx pgx.Tx, table string) []T {
	t.Helper()
	rows, err := tx.Query(ctx, "select * from "+table)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pairs(ctx context.Context, t testing.TB, tx pgx.Tx, sql string) map[[2]string]bool {
	t.Helper()
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		t.Fatal(err)
	}
	out := map[[2]string]bool{}
	for rows.Next() {
		var p [2]string
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			t.Fatal(err)
		}
		out[p] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// The want functions build what a fresh load returns, by hand.

func (w *world) person(id *int64) *Person {
	if id == nil || w.people[*id] == nil {
		return nil
	}
	p := *w.people[*id]
	return &p
}

func (w *world) tagsOf(post int64, keep func(*Tag) bool) []*Tag {
	out := []*Tag{}
	for p := range w.postTags {
		if p[0] == fmt.Sprint(post) && keep(w.tags[p[1]]) {
			x := *w.tags[p[1]]
			out = append(out, &x)
		}
	}
	return out
}

func (w *world) favouritesOf(person int64) []*Tag {
	out := []*Tag{}
	for p := range w.favourites {
		if p[0] == fmt.Sprint(person) {
			x := *w.tags[p[1]]
			out = append(out, &x)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Name != out[j].Name {
			return out[i].Name < out[j].Name
		}
		return out[i].ID < out[j].ID
	})
	return out
}

func all(*Tag) bool { return true }

func hot(t *Tag) bool { return t.Name >= "m" }

// wantPosts are the posts of a condition in order of id, with Author (and its
// FavouriteTags), Editor, Tags, HotTags and Comments.
func (w *world) wantPosts(keep func(*Post) bool) []*Post {
	out := []*Post{}
	for _, id := range slices.Sorted(maps.Keys(w.posts)) {
		if !keep(w.posts[id]) {
			continue
		}
		p := *w.posts[id]
		if p.Author = w.person(p.AuthorID); p.Author != nil {
			p.Author.FavouriteTags = w.favouritesOf(p.Author.ID)
		}
		p.Editor = w.person(p.EditorID)
		p.Tags = w.tagsOf(id, all)
		p.HotTags = []Tag{}
		for _, x := range w.tagsOf(id, hot) {
			p.HotTags = append(p.HotTags, *x)
		}
		p.Comments = []Comment{}
		for _, c := range w.comments {
			if c.PostID == id {
				p.Comments = append(p.Comments, c)
			}
		}
		out = append(out, &p)
	}
	return out
}

// wantPeople are all people in order of name and id, with all associations:
// Posts with Tags, the others without.
func (w *world) wantPeople() []*Person {
	out := []*Person{}
	for _, id := range slices.Sorted(maps.Keys(w.people)) {
		p := *w.people[id]
		p.Posts, p.TestPosts, p.Fans, p.AllTags = []*Post{}, []*Post{}, []*Person{}, []*Tag{}
		p.FavouriteTags = w.favouritesOf(id)
		for _, x := range w.profiles {
			if x.PersonID == id {
				p.Profile = &x
			}
		}
		seen := map[string]bool{}
		for _, post := range w.posts {
			if post.AuthorID == nil || *post.AuthorID != id {
				continue
			}
			full := *post
			full.Tags = w.tagsOf(post.ID, all)
			p.Posts = append(p.Posts, &full)
			for _, x := range full.Tags {
				if !seen[x.ID] {
					seen[x.ID] = true
					p.AllTags = append(p.AllTags, x)
				}
			}
			if strings.HasPrefix(post.Title, "test") {
				bare := *post
				p.TestPosts = append(p.TestPosts, &bare)
			}
		}
		sort.Slice(p.TestPosts, func(i, j int) bool {
			a, b := p.TestPosts[i], p.TestPosts[j]
			if a.Title != b.Title {
				return a.Title > b.Title
			}
			return a.ID < b.ID
		})
		for l := range w.friends {
			if l[1] == fmt.Sprint(id) {
				for _, fan := range w.people {
					if fmt.Sprint(fan.ID) == l[0] {
						bare := *fan
						p.Fans = append(p.Fans, &bare)
					}
				}
			}
		}
		out = append(out, &p)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// wantTags are all tags in order of id, with Posts in their order.
func (w *world) wantTags() []*Tag {
	out := []*Tag{}
	for _, id := range slices.Sorted(maps.Keys(w.tags)) {
		x := *w.tags[id]
		x.Posts = []*Post{}
		for l := range w.postTags {
			if l[1] == id {
				for _, p := range w.posts {
					if fmt.Sprint(p.ID) == l[0] {
						bare := *p
						x.Posts = append(x.Posts, &bare)
					}
				}
			}
		}
		sort.Slice(x.Posts, func(i, j int) bool {
			a, b := x.Posts[i], x.Posts[j]
			if a.Title != b.Title {
				return a.Title < b.Title
			}
			return a.ID < b.ID
		})
		out = append(out, &x)
	}
	return out
}
