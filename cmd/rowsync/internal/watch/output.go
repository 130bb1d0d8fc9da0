package watch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// output writes lines in a goroutine of its own: a reader that has stopped
// reading must not keep the command from ending.
type output struct {
	lines  chan string
	done   chan struct{} // closed when the last line is written, or none can be
	err    error         // set before done is closed
	cancel context.CancelCauseFunc
}

// newOutput returns an output that calls cancel when nothing can be written.
func newOutput(w io.Writer, cancel context.CancelCauseFunc) *output {
	o := &output{lines: make(chan string, 256), done: make(chan struct{}), cancel: cancel}
	go o.write(bufio.NewWriterSize(w, 64<<10))
	return o
}

// write writes lines, all that are at hand together, and never a part of one
// unless it is longer than the buffer.
func (o *output) write(w *bufio.Writer) {
	defer close(o.done)
	for line := range o.lines {
		if len(line) > w.Available() {
			o.err = w.Flush()
		}
		if o.err == nil {
			_, o.err = w.WriteString(line)
		}
		if o.err == nil && len(o.lines) == 0 {
			o.err = w.Flush()
		}
		if o.err != nil {
			break
		}
	}
	switch {
	case errors.Is(o.err, syscall.EPIPE) || errors.Is(o.err, io.ErrClosedPipe):
		o.err = nil // whoever read has seen enough
		o.cancel(errDone)
	case o.err != nil:
		o.err = fmt.Errorf("write changes: %w", o.err)
		o.cancel(errDone)
	}
}

// print passes a line on to be written.
func (o *output) print(ctx context.Context, line string) error {
	select {
	case o.lines <- line:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patience is how long lines that wait may take to be written once the command
// was told to end.
const patience = time.Second

// close waits until everything is written. Once ctx has ended it gives up on a
// reader that reads nothing.
func (o *output) close(ctx context.Context) error {
	close(o.lines)
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.done:
		return o.err
	case <-timer.C:
		return nil
	}
}
