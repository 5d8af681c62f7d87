package main

import (
	"context"
)

// fanoutVariants are the first load of fanoutSotW and fanoutDelta where it is
// harder to share: 100 node groups, which share most resources; and 1,000 proxies
// of which each asks for 1,000 load assignments of 1,100 by a list of its own.
var fanoutVariants = benchmark{rows: variantRows(), run: runVariants}

// variants are loads that differ from the usual one.
var variants = []struct {
	name, what string
	vary       func(load) load
}{
	{"groups", "100 node groups", func(l load) load {
		l.Groups = min(100, l.Proxies)
		return l
	}},
	{"lists", "each proxy its own list of names", func(l load) load {
		l.Services = l.Asked * 11 / 10
		return l
	}},
}

func variantRows() (rows []spec) {
	for _, transport := range transports {
		for _, v := range variants {
			name := "fanout/" + transport.name + "-" + v.name
			rows = append(rows,
				spec{name: name + "-cpu", what: v.what + ": server CPU", unit: "s", peer: limitKind, target: atMostTimes(1.25)},
				spec{name: name + "-rss", what: v.what + ": peak RSS", unit: "MB", peer: limitKind, target: atMostTimes(1.5)})
		}
	}
	return rows
}

func runVariants(ctx context.Context, p *progress, s scale) (rows []measurement, err error) {
	for _, transport := range transports {
		for _, v := range variants {
			l := v.vary(s.load(transport.delta))
			medians, err := alternate(ctx, p, s.sessions,
				session{load: l.by(oursKind)}.subject,
				session{load: l.by(limitKind)}.subject)
			if err != nil {
				return nil, err
			}
			ours, limit := medians[0], medians[1]
			rows = append(rows,
				measurement{ours[loadCPU], limit[loadCPU]},
				measurement{ours[loadPeak], limit[loadPeak]})
		}
	}
	return rows, nil
}
