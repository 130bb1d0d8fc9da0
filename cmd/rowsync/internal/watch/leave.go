package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowsync/rowsync"
	"github.com/rowsync/rowsync/cmd/rowsync/internal/remove"
	"github.com/rowsync/rowsync/pgtrigger"
)

// backends remembers the sessions of this program. Its methods may be called
// from any goroutine.
type backends struct {
	mu   sync.Mutex
	pids map[int]bool
}

// add is called with each new connection.
func (b *backends) add(_ context.Context, conn *pgconn.PgConn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pids == nil {
		b.pids = map[int]bool{}
	}
	b.pids[int(conn.PID())] = true
	return nil
}

// others returns the readers that are not of this program.
func (b *backends) others(readers []pgtrigger.Reader) []pgtrigger.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(readers), func(r pgtrigger.Reader) bool { return b.pids[r.PID] })
}

// found is what stood in the database before the command installed anything.
type found struct {
	schema, journal bool
	// idle and read are definitions, by their function, that nobody read and
	// that somebody read.
	idle, read map[string]bool
}

func (w *watch) look(ctx context.Context) (*found, error) {
	list, err := w.source.Installed(ctx)
	if err != nil {
		return nil, err
	}
	f := &found{idle: map[string]bool{}, read: map[string]bool{}}
	for _, i := range list {
		if len(i.Readers) > 0 {
			f.read[i.Function] = true
		} else {
			f.idle[i.Function] = true
		}
	}
	err = w.pool.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_namespace where nspname = $1), exists (
			select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = 'journal')`, w.opts.namespace).Scan(&f.schema, &f.journal)
	return f, err
}

// stays reports whether a definition is to stay because of whoever made it: it
// was there before. In the command's own namespace one that somebody read at
// that time is that of another run, and whoever ends last removes it.
func (w *watch) stays(f *found, function string) bool {
	if w.opts.namespace == ownNamespace && f.read[function] {
		return false
	}
	return f.idle[function] || f.read[function]
}

// leaveTimeout is how long removing may take.
const leaveTimeout = 20 * time.Second

// leave removes what the command has installed, unless somebody else reads it
// or it is to be kept. ctx may have ended. No details mean that Open failed, and
// may have installed something before that.
func (w *watch) leave(ctx context.Context, f *found, details []rowsync.WatcherDetails) error {
	if w.opts.keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	w.pool.Reset() // its connections may have been lost unnoticed
	if err := w.remove(ctx, f, details); err != nil {
		return fmt.Errorf("remove what was installed: %w; what is left shows rowsync triggers list --namespace %s", err, shell(w.opts.namespace))
	}
	return nil
}

func (w *watch) remove(ctx context.Context, f *found, details []rowsync.WatcherDetails) error {
	list, err := w.source.Installed(ctx)
	if err != nil {
		return err
	}
	left := 0
	for _, i := range list {
		mine := slices.ContainsFunc(details, func(d rowsync.WatcherDetails) bool { return d.Function == i.Function })
		if details == nil {
			mine = !f.idle[i.Function] && !f.read[i.Function] && w.wants(&i)
		}
		if !mine || w.stays(f, i.Function) {
			left++
			continue
		}
		switch gone, err := w.removeOne(ctx, i.Definition); {
		case err != nil:
			return err
		case !gone:
			left++
		}
	}
	// A schema that was there before stays, unless it is that of another run,
	// which has left it to this one; without definitions, that run was just
	// beginning or just ending.
	heir := w.opts.namespace == ownNamespace && (len(f.read) > 0 || f.journal && len(f.idle) == 0)
	if left > 0 || f.schema && !heir {
		return nil
	}
	err = w.source.Drop(ctx)
	var used *pgtrigger.InUseError
	if remove.Refused(err) || errors.As(err, &used) {
		return nil // another run has come meanwhile, or may not be touched: it stays
	}
	return err
}

// wants reports whether a definition is of a table that is watched.
func (w *watch) wants(i *pgtrigger.Installed) bool {
	return slices.ContainsFunc(w.tables.Captured, func(t *rowsync.Table) bool { return t.Schema == i.Schema && t.Name == i.Table })
}

// removeOne removes a definition unless others read it. That this program has
// ceased to read it, the server may notice a moment later.
func (w *watch) removeOne(ctx context.Context, definition string) (gone bool, err error) {
	for {
		err := remove.Definition(ctx, w.source, definition)
		var used *pgtrigger.InUseError
		if !errors.As(err, &used) {
			return err == nil, err
		}
		if others := w.mine.others(used.Installed.Readers); len(others) > 0 {
			w.notes.sayf("the triggers of %s.%s stay: they are read by %s", used.Installed.Schema, used.Installed.Table, others[0])
			return false, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return false, err
		}
	}
}

// shell quotes a word for a shell where it needs that.
func shell(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,=", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
