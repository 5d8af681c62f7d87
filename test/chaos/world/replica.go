package world

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// restartAfter is how long a replica that ended by itself is away.
const restartAfter = 500 * time.Millisecond

// replica is one process of a control plane, which is started again when it ends
// by itself, with the network in front and its input behind.
type replica struct {
	command []string
	log     string
	link    *link
	input   *directory

	event  sync.Mutex         // held by an event from its beginning to its end; guards cancel and kept
	cancel context.CancelFunc // nobody is to start it again any more
	kept   chan struct{}      // closed when that is so

	mu      sync.Mutex // guards what follows
	process *process   // the present one, or the last
	ends    []error    // by itself, while its input was there
}

// up starts the replica, and again whenever it ends, until down.
func (r *replica) up(ctx context.Context) error {
	process, err := r.start(ctx)
	if err != nil {
		return err
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.kept = make(chan struct{})
	go r.keep(ctx, process)
	return nil
}

func (r *replica) start(ctx context.Context) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	process, err := start(ctx, r.log, r.command...)
	if err == nil {
		r.process = process
	}
	return process, err
}

// keep starts the replica again whenever it has ended.
func (r *replica) keep(ctx context.Context, process *process) {
	defer close(r.kept)
	for {
		select {
		case <-ctx.Done():
			return
		case <-process.ended:
			r.note(fmt.Errorf("%s ended by itself: %w", r.log, process.err))
		}
		if !sleep(ctx, restartAfter) {
			return
		}
		var err error
		if process, err = r.start(ctx); err != nil {
			r.note(err)
			return
		}
	}
}

// note remembers that the replica ended, unless it had to: without a directory
// it cannot start.
func (r *replica) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.input.hidden() {
		r.ends = append(r.ends, err)
	}
}

// unexpected returns how the replica ended by itself.
func (r *replica) unexpected() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// down ends the replica with a signal, and waits for its end.
func (r *replica) down(signal syscall.Signal) error {
	r.cancel()
	<-r.kept
	return r.process.end(signal)
}

// sleep waits for d; it returns false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
