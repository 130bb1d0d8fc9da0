package pgtrigger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	connectTimeout = 15 * time.Second
	// answerTimeout is how long the server may take for an answer, and for
	// each further entry of it, before the connection counts as dead. To be
	// wrong about that costs a reconnect, and no change.
	answerTimeout = 15 * time.Second
	closeTimeout  = 2 * time.Second
)

// settle makes the session independent of what its role and database are
// configured with, and polls of plans that statistics could turn bad. Settings
// that this version of PostgreSQL does not know are left out.
const settle = `select set_config(s.name, s.value, false) from (values
	('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
	('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
	('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'),
	('default_transaction_deferrable', 'off'), ('synchronous_commit', 'off'),
	('search_path', 'pg_catalog, pg_temp'), ('client_encoding', 'UTF8'),
	('application_name', concat_ws(': ', 'rowsync', nullif(nullif(current_setting('application_name'), ''), 'rowsync'))), ('client_min_messages', 'warning'),
	('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('max_parallel_workers_per_gather', '0'),
	('jit', 'off'), ('plan_cache_mode', 'force_generic_plan')
) as s(name, value) join pg_catalog.pg_settings using (name)`

// session is the reader's connection. Its polls and waits take no context:
// they end when the one given to watch does.
type session struct {
	conn     *pgx.Conn
	pg       *pgconn.PgConn
	net      net.Conn
	ctx      context.Context
	patience time.Duration // answerTimeout
	bells    []string      // payloads received and not yet looked at
	// maxBacklog is Options.MaxBacklog.
	maxBacklog int64
}

var errStandby = errors.New("the server is a standby; capture needs the primary")

// connect opens the reader's connection.
func (s *Source) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	pool := s.pool.Config()
	config := pool.ConnConfig.Copy()
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
	}
	ses := &session{patience: s.patience, maxBacklog: s.opts.MaxBacklog}
	config.Tracer = nil // it would see every poll
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.Channel == s.names.Channel {
			ses.bells = append(ses.bells, n.Payload)
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ses.conn, ses.pg, ses.net = conn, conn.PgConn(), conn.PgConn().Conn()
	var standby bool
	if err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil {
		ses.close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	if standby {
		ses.close()
		return nil, fmt.Errorf("connect: %w", errStandby)
	}
	if _, err := conn.Exec(ctx, settle); err != nil {
		ses.close()
		return nil, fmt.Errorf("prepare session: %w", err)
	}
	return ses, nil
}

// close ends the connection, whatever state it is in, and waits for what pgx
// does in the background to that end.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.net.SetDeadline(time.Time{}) // an error here means that it is closed
	_ = s.conn.Close(ctx)              // likewise
	select {
	case <-s.pg.CleanupDone():
	case <-ctx.Done():
		_ = s.net.Close()
		<-s.pg.CleanupDone()
	}
}

// watch makes waits and polls end when ctx does, until the returned function
// is called.
func (s *session) watch(ctx context.Context) (stop func() bool) {
	s.ctx = ctx
	return context.AfterFunc(ctx, func() { _ = s.net.SetDeadline(time.Unix(1, 0)) })
}

// expectAnswer is expect for a request that is about to be sent.
func (s *session) expectAnswer() error { return s.expect(time.Now().Add(s.patience)) }

// expect sets when the connection counts as dead; zero means never. It
// returns an error if the context has ended.
func (s *session) expect(deadline time.Time) error {
	if err := s.net.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	// The context may have ended just before, and its deadline been overwritten.
	return s.ctx.Err()
}

// exec runs a statement without parameters and returns the first column of
// its first row.
func (s *session) exec(sql string) (string, error) {
	if err := s.expectAnswer(); err != nil {
		return "", err
	}
	results, err := s.pg.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		return "", err
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return "", nil
	}
	return string(results[0].Rows[0][0]), nil
}

// await waits for bells until the deadline, zero meaning for ever, and reports
// whether there are any. It takes all that have arrived together.
func (s *session) await(deadline time.Time) (bool, error) {
	if len(s.bells) > 0 {
		return true, nil
	}
	if err := s.expect(deadline); err != nil {
		return false, err
	}
	for len(s.bells) == 0 || s.pg.Frontend().ReadBufferLen() > 0 {
		// Not WaitForNotification: a notice in the buffer would make it wait
		// for the next notification while bells are at hand.
		if _, err := s.pg.ReceiveMessage(context.Background()); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return len(s.bells) > 0, s.ctx.Err()
			}
			return false, fmt.Errorf("wait for notifications: %w", err)
		}
	}
	return true, nil
}
