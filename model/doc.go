// Package model describes what Go struct types are in the database: their
// table, key, columns and associations.
//
// A [Model] is read from struct tags by a [Registry]; adapters for
// object-relational mappers make the same type from their own metadata and
// hand it to [Registry.Add]. A [Tree] is a Model with some of its associations,
// and theirs.
//
// Ordinary structs need almost no tags:
//
//	type Post struct {
//		ID        int64
//		Title     string
//		PersonID  int64
//		CreatedAt time.Time
//		Person    *Person    `db:"-"` // belongs to, by person_id
//		Comments  []*Comment `db:"-"` // has many, by comments.post_id
//		Tags      []*Tag     `db:"-" rowsync:"many_to_many=posts_tags"`
//	}
//
// # Columns
//
// The tag db is read as pgx reads it, so that pgx.RowToStructByName takes the same
// struct. A field is the column that its db tag names, up to the first comma;
// without the tag it is its own name in snake case (HTTPServer is http_server,
// UserIDs is user_ids). Embedded structs give their fields as though they stood
// in their place; unexported fields and those with db:"-" are no columns.
// Unlike pgx, rowsync takes the name in a db tag as it is written, capitals
// included.
//
// The key of a row is the column id, or those marked as key, in field order:
//
//	type Membership struct {
//		TeamID   int64 `rowsync:"key"`
//		PersonID int64 `rowsync:"key"`
//	}
//
// # Table
//
// The table is the plural of the type's name in snake case, in schema public
// (BlogPost is public.blog_posts, Person is public.people). A blank field names
// another; names are taken literally, and quoted as in SQL where they hold dots,
// commas or quotes. A method TableName() string does the same.
//
//	type Account struct {
//		_  struct{} `rowsync:"table=\"0xabcd\".\"User Accounts\""`
//		ID int64
//	}
//
// # Associations
//
// A field with db:"-" whose type is *T, []*T, T or []T for a struct T that has a
// key is an association. Its kind shows in the columns, here for a field Author
// or Posts of a type Person:
//
//	Author *T    the owner has a column author_id    belongs_to
//	Author *T    T has a column person_id            has_one
//	Posts []*T   T has a column person_id            has_many
//
// A key of another name than id, or of several columns, takes the place of id:
// author_tenant and author_number. If both of the first two fit, or nothing
// does, it is an error that says what to write.
//
// What the columns do not show, the tag says. It holds options, separated by
// commas:
//
//	belongs_to            the owner holds the key of the one target row
//	has_one, has_many     the target rows hold the key of the owner
//	many_to_many=table    the rows of a join table hold the keys of both; its
//	                      schema is the owner's unless it is named
//	through=Posts.Tags    the rows at the end of a path of association fields
//
//	key=column            belongs_to: the column of the owner
//	                      has_one, has_many: the column of the target
//	                      many_to_many: the join table's column for the owner
//	ref=column            belongs_to: the target's column that key refers to
//	                      has_one, has_many: the owner's column that key refers to
//	                      many_to_many: the join table's column for the target
//	key=(a,b), ref=(a,b)  the same for several columns, in pairs
//
//	where=condition       only target rows that meet the condition, in SQL
//	order=terms           the order of the target rows, in SQL
//
//	key                   on a column: part of the primary key
//	table=name            on the blank field: the table
//	-                     nothing to rowsync: neither column nor association
//
// Commas within quotes, parentheses and brackets do not end an option, and a
// comma in order begins a further term unless an option follows:
//
//	type Person struct {
//		ID, StaffNumber int64
//		Manager         *int64
//
//		Posts  []*Post   `db:"-"`
//		Drafts []*Post   `db:"-" rowsync:"where=status in ('new','draft'),order=created_at desc, id"`
//		Tags   []*Tag    `db:"-" rowsync:"through=Posts.Tags"`
//		Fans   []*Person `db:"-" rowsync:"many_to_many=favourite_people,key=child_id,ref=parent_id"`
//		Boss   *Person   `db:"-" rowsync:"belongs_to,key=manager,ref=staff_number"`
//		Cache  []*Post   `db:"-" rowsync:"-"`
//	}
//
// A field with the options of an association is one also without db:"-", but
// pgx.RowToStructByName takes it for a column then.
//
// A through association may lead through others of its kind, unless those have
// a condition. Within one type, *T with a key is belongs_to unless it says
// has_one.
//
// Every mistake is a [*ModelError] that says what to write instead, and all
// mistakes in a type, and in those it reaches, come together.
package model
