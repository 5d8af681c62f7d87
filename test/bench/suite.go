package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// benchmark measures some rows together, because they come out of the same run
// of the same parts.
type benchmark struct {
	rows []spec
	// run returns one measurement for each row, in the order of rows.
	run func(ctx context.Context, p *progress, s scale) ([]measurement, error)
}

// suite is everything that is measured. A new benchmark is a file with its two
// sides and a line here.
var suite = []benchmark{gateReads, readyzProbes, openings, heldStreams, fanoutSotW, fanoutDelta, fanoutVariants, idleStreams, fanoutScale, kubernetesSource, kubernetesSizes}

// scale is how much is measured: less makes the numbers worse, not different.
type scale struct {
	loops  int           // rounds of a loop
	loop   time.Duration // how long one takes
	rounds int           // rounds of what takes seconds

	openings       int // of our gate in one round
	polledOpenings int // of a peer's, which is slow
	checks         int // of a gate that is opened

	streams     int // held or idle at a time
	bigStreams  int // of these, where the first message is as large as Envoy's
	connections int // that the streams share

	sessions int // of server and client process
	proxies  int // in a session
	services int // that a server has
	changes  int // of one endpoint, in a session
	shrink   int // divides the sizes of the rows scale/ and kubernetes-sizes/

	clusterServices int           // in the API server of the rows kubernetes/
	clusterRoutes   int           // that share them
	starts          int           // of each program
	settling        time.Duration // from its start until its memory is measured
	updates         int           // of one EndpointSlice, one after another
	steady          time.Duration // of 100 of them per second
}

// full takes a good minute on 2 CPUs.
var full = scale{
	loops: 1001, loop: 200 * time.Microsecond, rounds: 5,
	openings: 300, polledOpenings: 60, checks: 200,
	streams: 10_000, bigStreams: 1_000, connections: 100,
	sessions: 3, proxies: 1_000, services: 1_000, changes: 5, shrink: 1,
	clusterServices: 10_000, clusterRoutes: 2_000,
	starts: 5, settling: 8 * time.Second, updates: 300, steady: 20 * time.Second,
}

// run measures every benchmark that has a row whose name matches only, and
// returns those rows.
func run(ctx context.Context, p *progress, s scale, only *regexp.Regexp) ([]row, error) {
	var rows []row
	for _, b := range suite {
		if !b.has(only) {
			continue
		}
		p.say("%s", strings.Join(b.names(), " "))
		measured, err := b.run(ctx, p, s)
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", b.rows[0].name, err)
		}
		for i, spec := range b.rows {
			if only.MatchString(spec.name) {
				rows = append(rows, spec.judge(measured[i]))
			}
		}
	}
	return rows, nil
}

// has reports whether the name of one of b's rows matches.
func (b benchmark) has(only *regexp.Regexp) bool {
	return slices.ContainsFunc(b.names(), only.MatchString)
}

// names are those of b's rows.
func (b benchmark) names() []string {
	var names []string
	for _, spec := range b.rows {
		names = append(names, spec.name)
	}
	return names
}

// writeList writes the rows that there are, without measuring anything.
func writeList(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, b := range suite {
		for _, spec := range b.rows {
			fmt.Fprintf(table, "%s\t%s\t%s\n", spec.name, spec.what, spec.target.in(spec.unit))
		}
	}
	return table.Flush()
}
