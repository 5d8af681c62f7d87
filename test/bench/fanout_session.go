package main

import (
	"context"
	"errors"
	"time"
)

// The numbers of a session, in order; CPU is the server's.
const (
	loadCPU         = iota // s, from the first connection to the last ACK
	loadPeak               // MB, resident set of the server at its largest
	loadTime               // s
	changeCPU              // ms, from handing out a change to its last ACK
	changeTime             // ms, the same
	changeBytes            // in responses to a proxy
	changeResources        // to a proxy
	resumeBytes            // in resources to a proxy that came back
	resumeOthers           // proxies that did not get exactly one empty response
	resumeCPU              // s
)

// session is one run of a server process and a client process.
type session struct {
	load
	changes int  // one after another, each ACKed by all proxies before the next
	resume  bool // all proxies come back at the end
}

// subject measures the session; numbers are as many as its steps yield.
func (s session) subject(ctx context.Context) (numbers []float64, err error) {
	r, err := startRun(ctx, s.load)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if numbers, err = r.loadStep(); err != nil || s.changes == 0 {
		return numbers, err
	}
	change, err := r.changeSteps(s.changes)
	if err != nil || !s.resume {
		return append(numbers, change...), err
	}
	resume, err := r.resumeStep()
	return append(append(numbers, change...), resume...), err
}

// running is a server process and a client process.
type running struct {
	load
	server *serverProcess
	client *child
}

func startRun(ctx context.Context, l load) (*running, error) {
	config, err := encodeConfig(l)
	if err != nil {
		return nil, err
	}
	server, err := startServer(ctx, fanoutArgument, config)
	if err != nil {
		return nil, err
	}
	r := &running{load: l, server: server}
	if config, err = encodeConfig(clientConfig{Address: server.address, load: l}); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	if r.client, err = startChild(ctx, clientArgument, config); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// stop ends both processes, the proxies first.
func (r *running) stop() (err error) {
	if r.client != nil {
		err = r.client.stop()
	}
	return errors.Join(err, r.server.stop())
}

func (r *running) command(c serverCommand) (u usage, err error) {
	err = r.server.ask(c, &u)
	return u, err
}

func (r *running) proxies(c clientCommand) (all received, err error) {
	err = r.client.ask(c, &all)
	return all, err
}

// loadStep loads all proxies.
func (r *running) loadStep() ([]float64, error) {
	before, err := r.command(sayUsage)
	if err != nil {
		return nil, err
	}
	loaded, err := r.proxies(loadAll)
	if err != nil {
		return nil, err
	}
	after, err := r.command(sayUsage)
	return []float64{
		loadCPU:  (after.CPU - before.CPU).Seconds(),
		loadPeak: float64(after.Peak) / 1e6,
		loadTime: time.Duration(loaded.At - before.At).Seconds(),
	}, err
}

// changeSteps returns the medians of n changes.
func (r *running) changeSteps(n int) ([]float64, error) {
	samples := make([][]float64, changeResources-changeCPU+1)
	for range n {
		numbers, err := r.change()
		if err != nil {
			return nil, err
		}
		for i, number := range numbers {
			samples[i] = append(samples[i], number)
		}
	}
	medians := make([]float64, len(samples))
	for i := range samples {
		medians[i] = percentile(samples[i], 50)
	}
	return medians, nil
}

// change changes one endpoint and waits until all proxies have ACKed that.
func (r *running) change() ([]float64, error) {
	before, err := r.proxies(expectChange)
	if err != nil {
		return nil, err
	}
	published, err := r.command(publish)
	if err != nil {
		return nil, err
	}
	acked, err := r.proxies(awaitChange)
	if err != nil {
		return nil, err
	}
	after, err := r.command(sayUsage)
	milliseconds := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	return []float64{
		milliseconds(after.CPU - published.CPU),
		milliseconds(time.Duration(acked.At - published.At)),
		r.perProxy(acked.Bytes - before.Bytes),
		r.perProxy(acked.Resources - before.Resources),
	}, err
}

// resumeStep lets all proxies come back with the versions that they hold. What
// follows on the same streams, a change, shows that no resource came before it.
func (r *running) resumeStep() ([]float64, error) {
	start, err := r.proxies(expectChange)
	if err != nil {
		return nil, err
	}
	before, err := r.command(sayUsage)
	if err != nil {
		return nil, err
	}
	if _, err := r.proxies(reconnectAll); err != nil {
		return nil, err
	}
	after, err := r.command(sayUsage)
	if err != nil {
		return nil, err
	}
	if _, err := r.change(); err != nil {
		return nil, err
	}
	changed, err := r.proxies(expectChange)
	if err != nil {
		return nil, err
	}
	if _, err := r.change(); err != nil {
		return nil, err
	}
	end, err := r.proxies(expectChange)
	oneChange := end.ResourceBytes - changed.ResourceBytes
	return []float64{
		r.perProxy(changed.ResourceBytes - start.ResourceBytes - oneChange),
		float64(r.Proxies - end.OneEmpty),
		(after.CPU - before.CPU).Seconds(),
	}, err
}

func (r *running) perProxy(n int64) float64 { return float64(n) / float64(r.Proxies) }
