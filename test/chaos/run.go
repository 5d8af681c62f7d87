package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/schedule"
	"github.com/xdsready/xdsready/test/chaos/world"
)

const (
	backendCount = 6
	changeEvery  = time.Second
	// patience is how long after the last event no proxy may be behind.
	patience = time.Minute
)

// drill is one run.
type drill struct {
	options  options
	began    time.Time
	events   []schedule.Event
	backends *world.Backends
	places   []place
	random   *rand.Rand // of the configuration
	current  config.Config
	changes  []change
	stall    time.Duration // the longest time for which the machine let us do nothing
}

// change is one of the configuration, for the report.
type change struct {
	at   time.Duration
	what string
}

// newDrill makes the worlds, with their logs in dir. close must be called in
// any case.
func newDrill(ctx context.Context, o options, dir string) (*drill, error) {
	d := &drill{
		options: o, began: time.Now(),
		events: schedule.New(o.seed, o.duration, o.replicas, backendCount),
		random: rand.New(rand.NewPCG(o.seed, 1)),
	}
	host := hosts()
	var err error
	if d.backends, err = world.StartBackends(host(), backendCount); err != nil {
		return d, err
	}
	d.current = config.First(d.random, backendCount)
	d.places, err = newWorlds(ctx, o, dir, d.began, d.backends, host, d.current)
	return d, err
}

// close ends all processes.
func (d *drill) close(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range d.places {
		if p.World != nil {
			all.Go(p.Close)
		}
	}
	all.Wait()
	if d.backends != nil {
		d.backends.Close(ctx)
	}
}

// run lives through the schedule, and waits for proxies that are behind then.
func (d *drill) run(ctx context.Context, show func(*drill)) error {
	if err := d.start(ctx); err != nil {
		return err
	}
	offset := time.Since(d.began) // events count from here
	for i := range d.events {
		d.events[i].At += offset
	}
	var happening sync.WaitGroup
	defer happening.Wait()
	happening.Go(func() { d.happen(ctx) })
	ticker := time.NewTicker(changeEvery)
	defer ticker.Stop()
	for time.Since(d.began) < offset+d.options.duration {
		waited := time.Now()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			d.stall = max(d.stall, time.Since(waited)-changeEvery)
			d.change()
			show(d)
		}
	}
	happening.Wait()
	d.wait(ctx)
	return ctx.Err()
}

// start starts all worlds at once.
func (d *drill) start(ctx context.Context) error {
	errs := make(chan error, len(d.places))
	for _, p := range d.places {
		go func() {
			err := p.Start(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			}
			errs <- err
		}()
	}
	var err error
	for range d.places {
		err = errors.Join(err, <-errs)
	}
	return err
}

// change publishes the next version of the configuration in all worlds.
func (d *drill) change() {
	next, team := d.current.Next(d.random, backendCount)
	d.changes = append(d.changes, change{time.Since(d.began), next.Sum(d.current)})
	d.current = next
	for _, p := range d.places {
		p.Publish(next, team)
	}
}

// happen makes each event happen in its time, in all worlds, and waits until all are over.
func (d *drill) happen(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, e := range d.events {
		timer := time.NewTimer(time.Until(d.began.Add(e.At)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if e.Kind == schedule.Backend {
			running.Go(func() { d.without(ctx, e) })
			continue
		}
		for _, p := range d.places {
			running.Go(func() { p.Happen(ctx, e) })
		}
	}
}

// without takes a backend away for a time.
func (d *drill) without(ctx context.Context, e schedule.Event) {
	from := time.Since(d.began)
	err := d.backends.Away(ctx, e.Which, e.For)
	for _, p := range d.places {
		p.Checker.Outage(e.Which, from, time.Since(d.began))
		p.Note(err)
	}
}

// wait waits until every proxy has the last version, for no longer than patience.
func (d *drill) wait(ctx context.Context) {
	began := time.Now()
	var all sync.WaitGroup
	for i := range d.places {
		all.Go(func() {
			_ = d.places[i].Await(ctx, d.current.Version, patience) // the verdict names who is behind
			d.places[i].settled = time.Since(began)
		})
	}
	all.Wait()
}
