package main

import (
	"context"
	"errors"
)

// idleStreams is what a proxy costs that has all its config, while nothing
// changes. The peer with the target is a bare grpc-go stream on which the same
// bytes were sent; one that never answers is smaller, since grpc-go grows what it
// writes with only when it writes.
var idleStreams = benchmark{
	rows: []spec{
		{name: "idle/memory", what: "a proxy with all its config, heap and stacks", unit: "KiB",
			peer: "bare grpc-go stream, same bytes sent", target: atMostTimes(1.3)},
		{name: "idle/rss", what: "a proxy with all its config, resident set", unit: "KiB",
			peer: "bare grpc-go stream, same bytes sent"},
		{name: "idle/memory-silent", what: "a proxy with all its config, heap and stacks", unit: "KiB",
			peer: "bare grpc-go stream that never answered"},
		{name: "idle/stream", what: "the same without its connection, heap and stacks", unit: "KiB",
			peer: "bare grpc-go stream, same bytes sent"},
	},
	run: func(ctx context.Context, p *progress, s scale) ([]measurement, error) {
		alone := s.load(true)
		together := alone
		together.Sharing = min(100, alone.Proxies)
		medians, err := alternate(ctx, p, s.sessions,
			idleMemory(alone.by(oursKind)), idleMemory(alone.by(limitKind)), idleMemory(alone.by(bareKind)),
			idleMemory(together.by(oursKind)), idleMemory(together.by(limitKind)))
		if err != nil {
			return nil, err
		}
		const inUse, resident = 0, 1
		ours, limit, silent := medians[0], medians[1], medians[2]
		return []measurement{
			{ours[inUse], limit[inUse]},
			{ours[resident], limit[resident]},
			{ours[inUse], silent[inUse]},
			{medians[3][inUse], medians[4][inUse]},
		}, nil
	},
}

// idleMemory returns a subject that measures how much memory of a server, in use
// and resident, a proxy takes that waits for changes, in KiB.
func idleMemory(l load) subject {
	return func(ctx context.Context) (numbers []float64, err error) {
		r, err := startRun(ctx, l)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.stop()) }()
		before, err := r.command(sayMemory)
		if err != nil {
			return nil, err
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
		after, err := r.command(sayMemory)
		perProxy := func(before, after uint64) float64 {
			return (float64(after) - float64(before)) / 1024 / float64(l.Proxies)
		}
		return []float64{perProxy(before.InUse, after.InUse), perProxy(before.Resident, after.Resident)}, err
	}
}

// fill connects all proxies and waits until nothing more happens.
func (r *running) fill() error {
	if r.Kind != bareKind {
		_, err := r.proxies(loadAll)
		return err
	}
	if _, err := r.proxies(connectAll); err != nil {
		return err
	}
	_, err := r.command(awaitRequests)
	return err
}
