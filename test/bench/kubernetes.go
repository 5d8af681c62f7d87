package main

import (
	"context"
	"errors"
	"fmt"
)

// kubernetesSource is xdsready with a real API server as its source, beside
// programs that only read the same objects from it.
var kubernetesSource = benchmark{rows: kubernetesRows(), run: runKubernetes}

// The peers, as tables show them.
const (
	bareInformers     = "bare informers"
	strippedInformers = "bare informers, no managed fields"
	managerCache      = "controller-runtime's manager"
)

func kubernetesRows() []spec {
	const (
		start  = "process start to gate open: "
		memory = "after the start: "
		change = "an EndpointSlice changes, until the proxy's ACK: "
		rate   = "100 EndpointSlices change per second: "
	)
	atMost50ms := target{sense: atMost, limit: 50}
	const event = bareInformers + ", until the event"
	return []spec{
		{name: "kubernetes/start", what: start + "time", unit: "s", peer: bareInformers, target: atMostTimes(1.3)},
		{name: "kubernetes/start-manager", what: start + "time", unit: "s", peer: managerCache},
		{name: "kubernetes/start-cpu", what: start + "CPU", unit: "s", peer: bareInformers},
		{name: "kubernetes/start-informers", what: start + "of that, tier informers", unit: "s"},
		{name: "kubernetes/start-krt", what: start + "of that, tier krt", unit: "s"},
		{name: "kubernetes/start-snapshot", what: start + "of that, tier snapshot", unit: "s"},
		{name: "kubernetes/rss", what: memory + "RSS", unit: "MB", peer: bareInformers, target: atMostTimes(2)},
		{name: "kubernetes/rss-manager", what: memory + "RSS", unit: "MB", peer: managerCache},
		{name: "kubernetes/rss-stripped", what: memory + "RSS", unit: "MB", peer: strippedInformers},
		{name: "kubernetes/pss", what: memory + "PSS", unit: "MB", peer: bareInformers, target: atMostTimes(2)},
		{name: "kubernetes/peak", what: memory + "largest RSS so far", unit: "MB", peer: bareInformers, target: atMostTimes(2)},
		{name: "kubernetes/change-p50", what: change + "p50", unit: "ms", peer: event},
		{name: "kubernetes/change-p99", what: change + "p99", unit: "ms", peer: event, target: atMost50ms},
		{name: "kubernetes/rate-cpu", what: rate + "CPU per second", unit: "ms", peer: bareInformers},
		{name: "kubernetes/rate", what: rate + "in fact", unit: "/s"},
		{name: "kubernetes/rate-rss", what: rate + "RSS afterwards", unit: "MB", peer: bareInformers},
	}
}

func runKubernetes(ctx context.Context, p *progress, s scale) (rows []measurement, err error) {
	p.say("  building the programs, and filling an API server with %d Services", s.clusterServices)
	l, err := openLab(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	p.say("  writing the status of %d HTTPRoutes, which a replica that is started later finds there", s.clusterRoutes)
	if err := l.writeStatuses(ctx); err != nil {
		return nil, fmt.Errorf("first start: %w", err)
	}
	starts, err := alternate(ctx, p, s.starts,
		l.start(l.ours, s.settling), l.start(l.bare, s.settling), l.start(l.stripped, s.settling), l.start(l.manager, s.settling))
	if err != nil {
		return nil, err
	}
	changes, err := alternate(ctx, p, s.sessions, changes{lab: l, updates: s.updates, steady: s.steady}.subject)
	if err != nil {
		return nil, err
	}
	ours, bare, stripped, manager, change := starts[0], starts[1], starts[2], starts[3], changes[0]
	against := func(peer []float64, number int) measurement { return measurement{ours[number], peer[number]} }
	return []measurement{
		against(bare, startTime), against(manager, startTime), against(bare, startCPU),
		{ours: ours[startInformers]}, {ours: ours[startKrt]}, {ours: ours[startSnapshot]},
		against(bare, startRSS), against(manager, startRSS), against(stripped, startRSS),
		against(bare, startPSS), against(bare, startPeak),
		{change[oursP50], change[bareP50]}, {change[oursP99], change[bareP99]}, {change[oursCPU], change[bareCPU]}, {ours: change[inFact]},
		{change[oursRSS], change[bareRSS]},
	}, nil
}
