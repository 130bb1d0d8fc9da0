package demo

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// chaos kills the connection that changes are read from, again and again.
type chaos struct {
	kills atomic.Uint64
	stop  context.CancelFunc
	done  chan struct{}
}

const chaosInterval = time.Second

// The reader's connection calls itself rowsync.
const killReader = `
	select count(pg_terminate_backend(pid)) from pg_stat_activity
	where application_name ~ '^rowsync(:|$)' and datname = current_database() and pid <> pg_backend_pid()`

func startChaos(ctx context.Context, p *place, log *slog.Logger) *chaos {
	ctx, stop := context.WithCancel(ctx)
	c := &chaos{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for tick := time.NewTicker(chaosInterval); ; {
			select {
			case <-tick.C:
				if err := c.kill(ctx, p); err != nil && ctx.Err() == nil {
					log.Warn("could not kill the reader's connection", "err", err)
				}
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
	return c
}

func (c *chaos) kill(ctx context.Context, p *place) error {
	conn, err := connect(ctx, p.url, "rowsync demo chaos")
	if err != nil {
		return err
	}
	defer func(conn *pgx.Conn) { conn.Close(context.WithoutCancel(ctx)) }(conn)
	var killed uint64
	if err := conn.QueryRow(ctx, killReader).Scan(&killed); err != nil {
		return err
	}
	c.kills.Add(killed)
	return nil
}

// end stops the killing; a nil chaos never began.
func (c *chaos) end() {
	if c != nil {
		c.stop()
		<-c.done
	}
}

func (c *chaos) count() uint64 {
	if c == nil {
		return 0
	}
	return c.kills.Load()
}
