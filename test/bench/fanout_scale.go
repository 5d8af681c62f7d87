package main

import (
	"context"
	"fmt"
)

// fanoutScale is how the cost grows: with the proxies, of 100 services each, and
// with the services, for 10 proxies. Transport is delta.
var fanoutScale = benchmark{rows: scaleRows(), run: runScale}

// axis is something that the cost grows with.
type axis struct {
	name  string
	sizes []int
	other int // how much there is of what does not grow
	load  func(size, other int) load
}

var axes = []axis{
	{"proxies", []int{10, 100, 1_000, 10_000}, 100, func(size, other int) load {
		return load{Delta: true, Proxies: size, Services: other, Asked: other, Groups: 1, Sharing: 1}
	}},
	{"resources", []int{100, 1_000, 10_000, 100_000}, 10, func(size, other int) load {
		return load{Delta: true, Proxies: other, Services: size, Asked: size, Groups: 1, Sharing: 1}
	}},
}

// scaleRow is the name of the row of one size, number (cpu or rss) and peer.
func scaleRow(a axis, size int, number, peer string) string {
	return fmt.Sprintf("scale/%s-%d-%s-%s", a.name, size, number, peer)
}

func scaleRows() (rows []spec) {
	for _, a := range axes {
		for _, size := range a.sizes {
			what := fmt.Sprintf("%d %s: ", size, a.name)
			for _, peer := range []string{limitKind, stockKind} {
				rows = append(rows,
					spec{name: scaleRow(a, size, "cpu", peer), what: what + "server CPU of the first load", unit: "s", peer: peer},
					spec{name: scaleRow(a, size, "rss", peer), what: what + "peak RSS of the server", unit: "MB", peer: peer})
			}
		}
	}
	return rows
}

func runScale(ctx context.Context, p *progress, s scale) (rows []measurement, err error) {
	for _, a := range axes {
		for _, size := range a.sizes {
			l := a.load(max(size/s.shrink, 2), max(a.other/s.shrink, 2))
			medians, err := alternate(ctx, p, s.sessions,
				session{load: l.by(oursKind)}.subject,
				session{load: l.by(limitKind)}.subject,
				session{load: l.by(stockKind)}.subject)
			if err != nil {
				return nil, fmt.Errorf("%d %s: %w", size, a.name, err)
			}
			ours := medians[0]
			for _, peer := range medians[1:] {
				rows = append(rows,
					measurement{ours[loadCPU], peer[loadCPU]},
					measurement{ours[loadPeak], peer[loadPeak]})
			}
		}
	}
	return rows, nil
}
