package demo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// freshPosts loads what the demo holds, by plain SQL and without rowsync.
func freshPosts(ctx context.Context, conn *pgx.Conn) ([]*Post, error) {
	var posts []*Post
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, snapshot, func(tx pgx.Tx) (err error) {
		posts, err = readPosts(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load without rowsync: %w", err)
	}
	return posts, nil
}

func readPosts(ctx context.Context, tx pgx.Tx) ([]*Post, error) {
	people, err := collect[Person](ctx, tx, "select id, name from people")
	if err != nil {
		return nil, err
	}
	tags, err := collect[Tag](ctx, tx, "select id, name from tags")
	if err != nil {
		return nil, err
	}
	posts, err := collect[Post](ctx, tx, "select id, title, author_id from posts order by id desc")
	if err != nil {
		return nil, err
	}
	type link struct{ PostID, TagID int64 }
	links, err := collect[link](ctx, tx, "select post_id, tag_id from posts_tags")
	if err != nil {
		return nil, err
	}

	authors := byID(people, func(p *Person) int64 { return p.ID })
	labels := byID(tags, func(t *Tag) int64 { return t.ID })
	held := byID(posts, func(p *Post) int64 { return p.ID })
	for _, p := range posts {
		if p.AuthorID != nil {
			p.Author = authors[*p.AuthorID]
		}
	}
	for _, l := range links {
		p := held[l.PostID]
		p.Tags = append(p.Tags, labels[l.TagID])
	}
	return posts, nil
}

func collect[T any](ctx context.Context, tx pgx.Tx, sql string) ([]*T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[T])
}

func byID[T any](rows []*T, id func(*T) int64) map[int64]*T {
	m := make(map[int64]*T, len(rows))
	for _, row := range rows {
		m[id(row)] = row
	}
	return m
}
