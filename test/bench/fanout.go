package main

import (
	"context"
)

// fanoutSotW and fanoutDelta are what the whole fleet costs a server: 1,000
// proxies, each on a connection of its own, load 1,000 clusters, as many load
// assignments of 5 endpoints, a table of as many routes and a listener; then one
// endpoint changes; then all come back with what they have.
var (
	fanoutSotW  = fanoutOf(0)
	fanoutDelta = fanoutOf(1)
)

// transports are the variants of the protocol.
var transports = []struct {
	name  string
	delta bool
}{{"sotw", false}, {"delta", true}}

func fanoutOf(transport int) benchmark {
	t := transports[transport]
	return benchmark{
		rows: fanoutRows("fanout/" + t.name + "-"),
		run: func(ctx context.Context, p *progress, s scale) ([]measurement, error) {
			return runFanout(ctx, p, s, s.load(t.delta))
		},
	}
}

// atMostTimes is a target for ours divided by the peer's.
func atMostTimes(limit float64) target { return target{sense: atMost, ofRatio: true, limit: limit} }

func fanoutRows(name string) []spec {
	const (
		load   = "first load: "
		change = "one endpoint changes: "
		resume = "all come back: "
	)
	return []spec{
		{name: name + "cpu", what: load + "server CPU", unit: "s", peer: limitKind, target: atMostTimes(1.25)},
		{name: name + "cpu-raw", what: load + "server CPU", unit: "s", peer: rawKind},
		{name: name + "cpu-shared", what: load + "server CPU", unit: "s", peer: sharedKind, target: atMostTimes(1)},
		{name: name + "cpu-stock", what: load + "server CPU", unit: "s", peer: stockKind, target: atMostTimes(0.125)},
		{name: name + "rss", what: load + "peak RSS", unit: "MB", peer: limitKind, target: atMostTimes(1.5)},
		{name: name + "rss-stock", what: load + "peak RSS", unit: "MB", peer: stockKind},
		{name: name + "time", what: load + "time", unit: "s", peer: limitKind},
		{name: name + "change-cpu", what: change + "server CPU", unit: "ms", peer: limitKind},
		{name: name + "change-time", what: change + "time until all have ACKed", unit: "ms", peer: limitKind, target: atMostTimes(1.25)},
		{name: name + "change-bytes", what: change + "bytes to a proxy", unit: "B", peer: limitKind},
		{name: name + "change-resources", what: change + "resources to a proxy", unit: "resources", peer: limitKind, target: atMostTimes(1)},
		{name: name + "resume-bytes", what: resume + "resource bytes to a proxy", unit: "B", target: target{sense: atMost}},
		{name: name + "resume-others", what: resume + "proxies without exactly one empty response", unit: "proxies", target: target{sense: atMost}},
		{name: name + "resume-cpu", what: resume + "server CPU", unit: "s", peer: "ours, first load"},
	}
}

func runFanout(ctx context.Context, p *progress, s scale, l load) ([]measurement, error) {
	medians, err := alternate(ctx, p, s.sessions,
		session{load: l.by(oursKind), changes: s.changes, resume: true}.subject,
		session{load: l.by(limitKind), changes: s.changes}.subject,
		session{load: l.by(rawKind)}.subject,
		session{load: l.by(sharedKind)}.subject,
		session{load: l.by(stockKind)}.subject)
	if err != nil {
		return nil, err
	}
	ours, limit, raw, shared, stock := medians[0], medians[1], medians[2], medians[3], medians[4]
	against := func(peer []float64, number int) measurement { return measurement{ours[number], peer[number]} }
	return []measurement{
		against(limit, loadCPU), against(raw, loadCPU), against(shared, loadCPU), against(stock, loadCPU),
		against(limit, loadPeak), against(stock, loadPeak),
		against(limit, loadTime),
		against(limit, changeCPU), against(limit, changeTime),
		against(limit, changeBytes), against(limit, changeResources),
		{ours: ours[resumeBytes]}, {ours: ours[resumeOthers]},
		{ours[resumeCPU], ours[loadCPU]},
	}, nil
}

// by returns the load with a kind of server.
func (l load) by(kind string) load {
	l.Kind = kind
	return l
}

// load is the load of most rows.
func (s scale) load(isDelta bool) load {
	return load{
		Delta: isDelta, Proxies: s.proxies, Services: s.services, Asked: s.services, Groups: 1, Sharing: 1,
	}
}
