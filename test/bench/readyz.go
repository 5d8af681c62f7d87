package main

import (
	"context"
	"net/http"
	"net/url"
)

// readyzProbes is what the kubelet asks each replica every few seconds, and a
// balancer more often.
var readyzProbes = benchmark{
	rows: []spec{
		{name: "readyz/ready", what: "/readyz, 20 checks, ready", unit: "Mreq/s", peer: "healthz.Handler",
			target: target{sense: atLeast, ofRatio: true, limit: 5}},
		{name: "readyz/ready-allocs", what: "/readyz, 20 checks, ready", unit: "allocs", peer: "healthz.Handler",
			target: target{sense: atMost, ofRatio: true, limit: 0.2}},
		{name: "readyz/ready-1000", what: "/readyz, 1,000 checks, ready", unit: "ns", peer: "ours with 1 check",
			target: target{sense: atMost, ofRatio: true, limit: 1.2}},
		{name: "readyz/not-ready", what: "/readyz, 20 checks, none synced", unit: "Mreq/s", peer: "healthz.Handler",
			target: target{sense: atLeast, ofRatio: true, limit: 5}},
		{name: "readyz/not-ready-allocs", what: "/readyz, 20 checks, none synced", unit: "allocs", peer: "healthz.Handler",
			target: target{sense: atMost, ofRatio: true, limit: 0.2}},
		{name: "readyz/not-ready-1000", what: "/readyz, 1,000 checks, none synced", unit: "ns", peer: "ours with 1 check",
			target: target{sense: atMost, ofRatio: true, limit: 1.2}},
	},
	run: func(ctx context.Context, p *progress, s scale) ([]measurement, error) {
		ready, err := probeBoth(ctx, p, s, true)
		if err != nil {
			return nil, err
		}
		notReady, err := probeBoth(ctx, p, s, false)
		return append(ready, notReady...), err
	},
}

// probeBoth returns the measurements for one state.
func probeBoth(ctx context.Context, p *progress, s scale, ready bool) ([]measurement, error) {
	ours := func(checks int) (loop func(n int), stop func()) {
		start := startRegistry
		if ready {
			start = startOpenRegistry
		}
		r := start(checks)
		return probe(r, "/readyz"), r.stop
	}
	ours1, stop := ours(1)
	defer stop()
	ours20, stop := ours(20)
	defer stop()
	ours1000, stop := ours(1000)
	defer stop()
	theirs20 := probe(newHealthz(20, ready), "/")

	medians, err := alternate(ctx, p, s.loops,
		perCall(s.loop, ours20), perCall(s.loop, theirs20),
		perCall(s.loop, ours1000), perCall(s.loop, ours1))
	if err != nil {
		return nil, err
	}
	millionsPerSecond := func(i int) float64 { return 1e3 / medians[i][0] }
	return []measurement{
		{ours: millionsPerSecond(0), peer: millionsPerSecond(1)},
		{ours: allocationsPerCall(ours20), peer: allocationsPerCall(theirs20)},
		{ours: medians[2][0], peer: medians[3][0]},
	}, nil
}

// probe returns a loop of probes of a handler, called as a server's goroutine
// would call it.
func probe(handler http.Handler, path string) func(n int) {
	return func(n int) {
		// New in each round, because a call takes some nanoseconds more where
		// they lie badly in memory.
		request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}}
		w := &discarded{header: http.Header{}}
		for range n {
			clear(w.header) // each request of a server has its own
			handler.ServeHTTP(w, request)
		}
	}
}

// discarded is a response that costs next to nothing, so that what is measured
// is the handler.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header            { return d.header }
func (d *discarded) Write(body []byte) (int, error) { return len(body), nil }
func (d *discarded) WriteHeader(int)                {}
