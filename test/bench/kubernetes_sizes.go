package main

import (
	"context"
	"errors"
	"fmt"
)

// kubernetesSizes is a start of xdsready in clusters of several sizes, by which
// the budgets of its probes are set.
var kubernetesSizes = benchmark{rows: sizeRows(), run: runSizes}

// clusterSizes is how many Services the clusters have.
var clusterSizes = []int{100, 1_000, 10_000, 50_000}

// servicesPerRoute is how many of them share an HTTPRoute.
const servicesPerRoute = 5

func sizeRows() (rows []spec) {
	for _, services := range clusterSizes {
		name := fmt.Sprintf("kubernetes-sizes/%d-", services)
		what := fmt.Sprintf("%d Services and EndpointSlices, %d HTTPRoutes: ", services, services/servicesPerRoute)
		rows = append(rows,
			spec{name: name + "ready", what: what + "process start to /readyz 200", unit: "s"},
			spec{name: name + "cpu", what: what + "CPU until then", unit: "s"},
			spec{name: name + "rss", what: what + "RSS after the start", unit: "MB"},
			spec{name: name + "peak", what: what + "largest RSS so far", unit: "MB"})
	}
	return rows
}

func runSizes(ctx context.Context, p *progress, s scale) (rows []measurement, err error) {
	for _, services := range clusterSizes {
		s.clusterServices = max(services/s.shrink, minimalCluster)
		s.clusterRoutes = s.clusterServices / servicesPerRoute
		numbers, err := startInCluster(ctx, p, s)
		if err != nil {
			return nil, fmt.Errorf("%d Services: %w", services, err)
		}
		for _, number := range []int{startTime, startCPU, startRSS, startPeak} {
			rows = append(rows, measurement{ours: numbers[number]})
		}
	}
	return rows, nil
}

// minimalCluster is the smallest number of Services whose routes go into the
// namespaces that there are.
const minimalCluster = 100

// startInCluster fills an API server and returns the medians of some starts.
func startInCluster(ctx context.Context, p *progress, s scale) (numbers []float64, err error) {
	p.say("  filling an API server with %d Services and %d HTTPRoutes", s.clusterServices, s.clusterRoutes)
	l, err := openLab(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	p.say("  writing the status of the HTTPRoutes, which a replica that is started later finds there")
	if err := l.writeStatuses(ctx); err != nil {
		return nil, fmt.Errorf("first start: %w", err)
	}
	medians, err := alternate(ctx, p, s.starts, l.start(l.ours, s.settling))
	if err != nil {
		return nil, err
	}
	return medians[0], nil
}
