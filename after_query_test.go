package rowsync_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type sqlKey struct{}

// afterQuery calls a function after each query, once it is set.
type afterQuery struct {
	f       atomic.Pointer[func(sql string)]
	running sync.RWMutex // held for reading while f runs
}

// rest ends calling f, once no call runs.
func (a *afterQuery) rest() {
	a.running.Lock()
	defer a.running.Unlock()
	a.f.Store(nil)
}

func (*afterQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, sqlKey{}, d.SQL)
}

func (a *afterQuery) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	a.running.RLock()
	defer a.running.RUnlock()
	if f := a.f.Load(); f != nil {
		if sql, ok := ctx.Value(sqlKey{}).(string); ok {
			(*f)(sql)
		}
	}
}

// hookedPool is a pool whose queries the hook hears of.
func hookedPool(t *testing.T, url string) (*pgxpool.Pool, *afterQuery) {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	hook := &afterQuery{}
	config.ConnConfig.Tracer = hook
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, hook
}
