package rowsync

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// Preload reads the associations that paths name, see [With], of rows that the
// caller has loaded by other means, and sets their fields: one statement for
// each association at each level, however many rows there are. It alters the
// rows, so it is for rows that nobody else holds yet. Nothing of it comes from
// the cache.
//
// rows is a pointer to a struct of a watched model, a slice of structs or of
// pointers to them, or a map of pointers. A row that is in it twice is filled
// twice. If an error comes back, some of the associations may be set. A path that
// leads nowhere is a [*ModelError].
//
// It may be called from any goroutine, and the end of ctx ends the statement that
// is under way; Options.LoadTimeout does not bound it.
//
//	rows, _ := db.Query(ctx, "select * from posts where …")
//	posts, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Post])
//	…
//	err = rowsync.Preload(ctx, client, posts, "Tags", "Author")
func Preload(ctx context.Context, c *Client, rows any, paths ...string) error {
	if c == nil {
		return errors.New("preload: no Client: pass the one that Open returned")
	}
	if err := c.preload(ctx, rows, paths); err != nil {
		return fmt.Errorf("preload: %w", err)
	}
	return nil
}

func (c *Client) preload(ctx context.Context, rows any, paths []string) error {
	v, err := c.viewOf(reflect.ValueOf(rows))
	if err != nil {
		return err
	}
	switch {
	case v.value.Kind() == reflect.Struct:
		return fmt.Errorf("a %s by value cannot be filled: pass a pointer to it", v.elem)
	case v.value.Kind() == reflect.Map && v.value.Type().Elem().Kind() != reflect.Pointer:
		return errors.New("structs in a map cannot be filled: pass a map of pointers")
	}
	tree, err := v.model.Tree(paths...)
	if err != nil {
		return err
	}
	if _, err := c.schema.plans.Bind(tree); err != nil {
		return err
	}
	return c.schema.loader.Preload(ctx, tree, v.rows())
}
