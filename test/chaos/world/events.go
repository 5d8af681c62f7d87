package world

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/schedule"
)

// Happen makes an event happen, and returns when it is over, but not before all
// that it took away is there again; if ctx ends, that is at once. Events about
// backends are the business of Backends.
func (w *World) Happen(ctx context.Context, e schedule.Event) {
	var err error
	switch r := w.replicas[e.Which%len(w.replicas)]; e.Kind {
	case schedule.Terminate:
		err = r.restart(ctx, e, syscall.SIGTERM)
	case schedule.Kill:
		err = r.restart(ctx, e, syscall.SIGKILL)
	case schedule.Stop:
		err = r.send(syscall.SIGSTOP)
		sleep(ctx, e.For)
		err = errors.Join(err, r.send(syscall.SIGCONT))
	case schedule.SlowStart:
		err = r.startWithout(ctx, e, r.input.hide, r.input.show)
	case schedule.PartialStart:
		err = r.startWithout(ctx, e, r.input.tearFirst, r.input.mend)
	case schedule.Pause:
		r.link.Pause()
		sleep(ctx, e.For)
		r.link.Resume()
	case schedule.Reset:
		r.link.Reset()
	case schedule.DiskFull:
		err = r.input.tearFirst()
		sleep(ctx, e.For)
		err = errors.Join(err, r.input.mend())
	case schedule.Backend:
	case schedule.Blackout:
		var all sync.WaitGroup
		for _, r := range w.replicas {
			all.Go(func() { w.Note(r.restart(ctx, e, syscall.SIGKILL)) })
		}
		all.Wait()
	}
	w.Note(err)
}

// restart ends the replica, and starts it again after a time.
func (r *replica) restart(ctx context.Context, e schedule.Event, signal syscall.Signal) error {
	err := r.down(signal)
	sleep(ctx, e.For)
	return errors.Join(err, r.up(ctx))
}

// startWithout kills the replica and starts it again while its input is spoilt,
// which is mended after a time.
func (r *replica) startWithout(ctx context.Context, e schedule.Event, spoil, mend func() error) error {
	err := errors.Join(r.down(syscall.SIGKILL), spoil(), r.up(ctx))
	sleep(ctx, e.For)
	return errors.Join(err, mend())
}

// tearFirst tears the file of the first team.
func (d *directory) tearFirst() error { return d.tear(config.Team{Name: config.Names[0]}.File()) }
