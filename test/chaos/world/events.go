package world

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/schedule"
)

// Happen makes an event happen, and returns when it is over, but not before all
// that it took away is there again; if ctx ends, that is at once. Events about
// backends are the business of Backends.
func (w *World) Happen(ctx context.Context, e schedule.Event) {
	switch e.Kind {
	case schedule.Backend:
	case schedule.Blackout:
		var all sync.WaitGroup
		for _, r := range w.replicas {
			all.Go(func() { w.Note(r.happen(ctx, e)) })
		}
		all.Wait()
	case schedule.SlowStart, schedule.PartialStart:
		// As when a rollout goes on: proxies of another one come while it is not ready.
		next := w.replicas[(e.Which+1)%len(w.replicas)]
		defer time.AfterFunc(e.For/2, next.link.reset).Stop()
		w.Note(w.replicas[e.Which].happen(ctx, e))
	default:
		w.Note(w.replicas[e.Which].happen(ctx, e))
	}
}

// happen makes an event happen to one replica, after the one before is over.
func (r *replica) happen(ctx context.Context, e schedule.Event) error {
	r.event.Lock()
	defer r.event.Unlock()
	switch e.Kind {
	case schedule.Terminate:
		return r.restart(ctx, syscall.SIGTERM, e.For)
	case schedule.Kill, schedule.Blackout:
		return r.restart(ctx, syscall.SIGKILL, e.For)
	case schedule.Stop:
		return during(ctx, e.For, r.sending(syscall.SIGSTOP), r.sending(syscall.SIGCONT))
	case schedule.SlowStart:
		return r.startWithout(ctx, e.For, r.input.hide, r.input.show)
	case schedule.PartialStart:
		return r.startWithout(ctx, e.For, r.input.tearFirst, r.input.mend)
	case schedule.DiskFull:
		return during(ctx, e.For, r.input.tearFirst, r.input.mend)
	case schedule.Pause:
		r.link.pause()
		sleep(ctx, e.For)
		r.link.resume()
	case schedule.Reset:
		r.link.reset()
	case schedule.Backend:
	}
	return nil
}

// during is how most events go: something begins, lasts, and ends.
func during(ctx context.Context, d time.Duration, begin, end func() error) error {
	err := begin()
	sleep(ctx, d)
	return errors.Join(err, end())
}

// restart ends the replica, and starts it again after a time.
func (r *replica) restart(ctx context.Context, signal syscall.Signal, away time.Duration) error {
	return during(ctx, away, func() error { return r.down(signal) }, func() error { return r.up(ctx) })
}

// startWithout kills the replica and starts it again while its input is spoilt,
// which is mended after a time.
func (r *replica) startWithout(ctx context.Context, d time.Duration, spoil, mend func() error) error {
	return during(ctx, d, func() error {
		return errors.Join(r.down(syscall.SIGKILL), spoil(), r.up(ctx))
	}, mend)
}

// sending returns a function that sends the signal to the present process.
func (r *replica) sending(signal syscall.Signal) func() error {
	return func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.process.signal(signal)
	}
}

// tearFirst tears the file of the first team.
func (d *directory) tearFirst() error { return d.tear(config.Team{Name: config.Names[0]}.File()) }
