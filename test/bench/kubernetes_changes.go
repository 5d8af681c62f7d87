package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// The numbers of changes, in order.
const (
	oursP50 = iota // ms, from sending a change to the API server to the ACK of a proxy of xdsready
	bareP50        // ms, to the event in the bare program
	oursP99
	bareP99
	oursCPU // ms per second
	bareCPU
	inFact  // changes per second, when CPU was measured
	oursRSS // MB, after that
	bareRSS
)

// changes changes EndpointSlices while xdsready, with a proxy that has all its
// config, and the bare program both follow.
type changes struct {
	lab     *lab
	updates int           // one after another
	steady  time.Duration // of as many per second as rate says
}

// rate is the changes per second of which CPU is measured.
const rate = 100

func (c changes) subject(ctx context.Context) (numbers []float64, err error) {
	ours, err := c.lab.ours(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	events, out := io.Pipe()
	bare, err := c.lab.peer(ctx, out, "informers")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop(), out.Close()) }()
	seen := make(chan event, recent)
	go readEvents(events, seen) // ends with the pipe
	for _, p := range []*program{ours, bare} {
		if _, err := p.awaitReady(ctx); err != nil {
			return nil, err
		}
	}
	proxy, err := connectGatewayProxy(ctx, ours.xds)
	if err != nil {
		return nil, err
	}
	defer proxy.close()
	if numbers, err = c.oneByOne(ctx, proxy.acked, seen); err != nil {
		return nil, err
	}
	cpu, err := c.steadily(ours, bare)
	return append(numbers, cpu...), err
}

// event is something that happened to one object.
type event struct {
	of string // what it happened to, or the version that it got
	at time.Time
}

// recent is how many events are kept for somebody who is slow to take them; one
// who takes none loses the later ones.
const recent = 64

// note adds an event for who takes it.
func note(events chan<- event, e event) {
	select {
	case events <- e:
	default:
	}
}

// readEvents notes the changes that the bare program writes about.
func readEvents(in io.Reader, seen chan<- event) {
	lines := json.NewDecoder(in)
	for {
		var line struct {
			Version string `json:"version"`
			At      int64  `json:"at"`
		}
		if lines.Decode(&line) != nil {
			return
		}
		note(seen, event{line.Version, time.Unix(0, line.At)})
	}
}

// oneByOne returns how long changes take to the proxy and to the bare program,
// each after the one before it has arrived at both.
func (c changes) oneByOne(ctx context.Context, acked, seen <-chan event) ([]float64, error) {
	var ours, bare []float64
	for range c.updates {
		// At random, so that nothing periodic always meets the same phase.
		if err := pause(ctx, rand.N(60*time.Millisecond)); err != nil {
			return nil, err
		}
		drop(acked)
		drop(seen)
		change, err := c.lab.do(clusterCommand{Change: 1})
		if err != nil {
			return nil, err
		}
		sent := time.Unix(0, change.At)
		ack, err := find(ctx, acked, change.Assigned)
		if err != nil {
			return nil, fmt.Errorf("ACK of %s: %w", change.Assigned, err)
		}
		arrived, err := find(ctx, seen, change.Version)
		if err != nil {
			return nil, fmt.Errorf("event of version %s: %w", change.Version, err)
		}
		ours = append(ours, ack.at.Sub(sent).Seconds()*1e3)
		bare = append(bare, arrived.at.Sub(sent).Seconds()*1e3)
	}
	return []float64{percentile(ours, 50), percentile(bare, 50), percentile(ours, 99), percentile(bare, 99)}, nil
}

// drop forgets the events of earlier changes.
func drop(events <-chan event) {
	for {
		select {
		case <-events:
		default:
			return
		}
	}
}

// find takes events until the one of that name.
func find(ctx context.Context, events <-chan event, of string) (event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStuck)
	defer cancel()
	for {
		select {
		case e := <-events:
			if e.of == of {
				return e, nil
			}
		case <-ctx.Done():
			return event{}, context.Cause(ctx)
		}
	}
}

// steadily returns how much CPU both programs use per second at the rate, what
// that was, for an API server that gets too little CPU does not keep it, and
// their memory afterwards.
func (c changes) steadily(ours, bare *program) ([]float64, error) {
	programs := []*program{ours, bare}
	before := make([]time.Duration, len(programs))
	for i, p := range programs {
		var err error
		if before[i], err = p.cpu(); err != nil {
			return nil, err
		}
	}
	const interval = time.Second / rate
	n := int(c.steady / interval)
	change, err := c.lab.do(clusterCommand{Change: n, Every: interval})
	if err != nil {
		return nil, err
	}
	var numbers []float64
	for i, p := range programs {
		after, err := p.cpu()
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, float64((after-before[i]).Milliseconds())/change.Took.Seconds())
	}
	numbers = append(numbers, float64(n)/change.Took.Seconds())
	for _, p := range programs {
		memory, err := p.memory()
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, memory.rss)
	}
	return numbers, nil
}
