package rowsync

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestLiveSharedUnwanted: a value whose first load ends well just after the last
// who waited for it has left is closed.
func TestLiveSharedUnwanted(t *testing.T) {
	var lives sharedLives
	done, stopped := make(chan struct{}), make(chan struct{})
	close(done)
	l := &live{stop: func() { close(stopped) }, done: done}
	began, goOn := make(chan struct{}), make(chan struct{})
	start := func(context.Context) (*live, error) { // does not heed its context
		close(began)
		<-goOn
		return l, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := lives.open(ctx, shareKey{}, start, func(run func()) bool { go run(); return true })
		left <- err
	}()
	<-began
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Error("it is not closed")
	}
}
