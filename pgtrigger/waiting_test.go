package pgtrigger

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

// A start waits for a long transaction, and says for whom; how long writers
// wait for it meanwhile is logged.
func TestInstallWaits(t *testing.T) {
	url := database(t, postsSQL)
	long := connect(t, url)
	long.do("set application_name = 'report'; begin; update posts set title = '' where id = 1")
	ctx, stop := context.WithCancel(t.Context())
	var (
		writing sync.WaitGroup
		mu      sync.Mutex
		took    []time.Duration
	)
	for i := range 4 {
		w := connect(t, url)
		writing.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				w.do(fmt.Sprintf("update posts set author_id = author_id + 1 where id = %d", 10+i))
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	log := newLogs(t)
	n := begin(t, url, Options{Logger: log.logger(slog.LevelInfo)}, posts())
	log.await("waiting for a lock", "install capture of public.posts", "held_by", "report")
	connect(t, url).awaitOne("select (clock_timestamp() > xact_start + interval '4 s')::text from pg_stat_activity where application_name = 'report'", "true")
	stop()
	writing.Wait()
	if n.update(func() {}); n.started {
		t.Error("started before the triggers can be there")
	}
	long.do("commit")
	n.await("the start", func() bool { return n.started })
	if lines := log.lines("waiting for a lock"); len(lines) > 1 {
		t.Errorf("%d lines in a few seconds: %v", len(lines), lines)
	}
	slices.Sort(took)
	t.Logf("%d writes waited: median %v, 99 %% up to %v, at most %v; LockTimeout is 100 ms", len(took),
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
