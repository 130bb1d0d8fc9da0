package rowsync_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/rowsync/rowsync"
)

// parish keeps the register of which rows exist, and how often one of a key has
// vanished, as a reader sees it who looks after each commit.
type parish struct {
	forest   *forest
	present  map[string]bool
	vanished map[string]int
}

// key names a row by its primary key.
func (p *parish) key(of int, r *Traits) string {
	id, _ := r.identity(columnNames(p.forest.models[of].Key))
	return forestTables[of] + " " + id
}

// look notes what has vanished since it was called last.
func (p *parish) look(ctx context.Context, conn *pgx.Conn) error {
	here := map[string]bool{}
	err := p.forest.readKeys(ctx, conn, func(of int, r Traits) { here[p.key(of, &r)] = true })
	for k := range p.present {
		if !here[k] {
			p.vanished[k]++
		}
	}
	p.present = here
	return err
}

// readKeys reads the keys of all rows, in a fixed order.
func (f *forest) readKeys(ctx context.Context, conn *pgx.Conn, each func(of int, r Traits)) error {
	parts := make([]string, f.types)
	for i := range parts {
		parts[i] = fmt.Sprintf("select %d, ki, kt, ku from %s", i, forestTables[i])
	}
	rows, _ := conn.Query(ctx, strings.Join(parts, " union all ")+" order by 1, 2")
	var (
		of int
		r  Traits
	)
	_, err := pgx.ForEachRow(rows, []any{&of, &r.KI, &r.KT, &r.KU}, func() error {
		each(of, r)
		return nil
	})
	return err
}

// forestMark is a row by which a holder tells that it has taken in everything
// that was committed before.
type forestMark struct {
	_  struct{} `rowsync:"table=forest_marks"`
	ID int64    `db:"id"`
}

// pulse wakes those who wait for a Live to take something in.
type pulse struct {
	mu   sync.Mutex
	next chan struct{}
}

func newPulse() *pulse { return &pulse{next: make(chan struct{})} }

// TraceSync implements [rowsync.SyncTracer].
func (p *pulse) TraceSync(context.Context, rowsync.SyncTrace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.next)
	p.next = make(chan struct{})
}

// await waits until a condition that a Live may have brought about holds.
func (p *pulse) await(ctx context.Context, holds func() bool) error {
	for {
		p.mu.Lock()
		next := p.next
		p.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
