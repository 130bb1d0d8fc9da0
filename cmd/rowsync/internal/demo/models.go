package demo

// Person writes posts.
type Person struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
}

// Tag marks posts.
type Tag struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
}

// Post is what the demo holds a list of.
type Post struct {
	ID       int64   `db:"id"`
	Title    string  `db:"title"`
	AuthorID *int64  `db:"author_id"`
	Author   *Person `db:"-"`
	Tags     []*Tag  `db:"-" rowsync:"many_to_many=posts_tags"`
}

// tables are those that the writers write to.
var tables = []string{"people", "posts", "tags", "posts_tags"}

// schemaSQL creates them.
const schemaSQL = `
create table people (
	id   bigint generated always as identity primary key,
	name text not null
);
create table posts (
	id        bigint generated always as identity primary key,
	title     text not null,
	author_id bigint references people on delete set null
);
create index on posts (author_id);
create table tags (
	id   bigint generated always as identity primary key,
	name text not null
);
create table posts_tags (
	post_id bigint not null references posts on delete cascade,
	tag_id  bigint not null references tags on delete cascade,
	primary key (post_id, tag_id)
);
create index on posts_tags (tag_id);
`

// seedSQL fills them, so that there is something to see from the start.
const seedSQL = `
insert into people (name)
	select unnest(array['Ada', 'Barbara', 'Edgar', 'Grace', 'Jim', 'Leslie', 'Margaret', 'Michael']);
insert into tags (name)
	select unnest(array['go', 'sql', 'news', 'howto', 'rust', 'linux', 'cats', 'music', 'tea', 'maps']);
insert into posts (title, author_id)
	select 'First post ' || n, 1 + n % 8 from generate_series(1, 40) n;
insert into posts_tags
	select p, 1 + (p * t) % 10 from generate_series(1, 40) p, generate_series(1, 3) t
	on conflict do nothing;
`
