package controlplane

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The sources of the control plane.
const (
	sourceDirectory    = "directory"
	sourceCertificates = "certificates"
)

// fault is why the last change of a source was not taken.
type fault struct {
	source, message string
	since           time.Time
}

// faults are the sources whose last change was not taken, or that cannot be read
// at present: what they gave before keeps serving. A fault is logged when it
// comes, changes and goes.
type faults struct {
	logger  *slog.Logger
	sources []string // whose staleness is shown even while they have no fault

	mu    sync.Mutex // guards both
	list  map[string]fault
	stale map[string]fault // by resource of the API server
}

func newFaults(logger *slog.Logger) *faults {
	return &faults{logger: logger, list: map[string]fault{}, stale: map[string]fault{}}
}

// set records the state of a source: nil means that its last change was taken.
func (f *faults) set(source string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, changed := change(f.list, source, err); !changed {
		return
	}
	if err != nil {
		f.logger.Error("config not taken: the last good one, if any, keeps serving", "source", source, "error", err)
		return
	}
	f.logger.Info("config accepted again", "source", source)
}

// setStale records whether a resource of the API server can be read: nil means
// that it can. It returns since when not.
func (f *faults) setStale(resource string, err error) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, changed := change(f.stale, resource, err)
	switch {
	case !changed:
	case err != nil:
		f.logger.Warn("cannot read from the API server: what is known, if anything, keeps serving", "resource", resource, "error", err)
	default:
		f.logger.Info("the API server can be read again", "resource", resource)
	}
	return since
}

// change enters a fault, or takes it out if err is nil. It returns since when it
// is there, and whether anything changed.
func change(in map[string]fault, source string, err error) (since time.Time, changed bool) {
	before, was := in[source]
	if err == nil {
		delete(in, source)
		return time.Time{}, was
	}
	if !was {
		before.since = time.Now()
	}
	in[source] = fault{source, err.Error(), before.since}
	return before.since, before.message != err.Error()
}

// stalest returns the resource that could not be read for the longest time, ""
// if all can be.
func (f *faults) stalest() (resource string, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.stale {
		if resource == "" || x.since.Before(since) {
			resource, since = x.source, x.since
		}
	}
	return resource, since
}

// all returns the faults of both kinds by source.
func (f *faults) all() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []fault
	for _, x := range f.list {
		list = append(list, x)
	}
	for _, x := range f.stale {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b fault) int { return cmp.Compare(a.source, b.source) })
	return list
}

var (
	configErrorsDesc = prometheus.NewDesc("xdsready_config_errors",
		"Sources whose last change was not taken, because it is faulty.", nil, nil)
	staleDesc = prometheus.NewDesc("xdsready_source_stale_seconds",
		"For how long changes of the source have not been taken, or it could not be read; 0 while all is well.", []string{"source"}, nil)
)

// Describe implements prometheus.Collector.
func (f *faults) Describe(ch chan<- *prometheus.Desc) {
	ch <- configErrorsDesc
	ch <- staleDesc
}

// Collect implements prometheus.Collector. Node groups are no labels: their
// faults count in config_errors alone.
func (f *faults) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(configErrorsDesc, prometheus.GaugeValue, float64(len(f.list)))
	for _, source := range f.sources {
		stale := 0.0
		for _, faults := range []map[string]fault{f.list, f.stale} {
			if x, ok := faults[source]; ok {
				stale = time.Since(x.since).Seconds()
			}
		}
		ch <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, stale, source)
	}
}
