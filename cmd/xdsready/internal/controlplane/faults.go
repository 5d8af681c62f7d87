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

// faults are the sources whose last change was not taken: what they gave before
// keeps serving. A fault is logged when it comes, changes and goes.
type faults struct {
	logger *slog.Logger

	mu   sync.Mutex // guards list
	list map[string]fault
}

func newFaults(logger *slog.Logger) *faults {
	return &faults{logger: logger, list: map[string]fault{}}
}

// set records the state of a source: nil means that its last change was taken.
func (f *faults) set(source string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, was := f.list[source]
	switch {
	case err == nil && was:
		delete(f.list, source)
		f.logger.Info("config accepted again", "source", source)
	case err != nil && before.message != err.Error():
		f.list[source] = fault{source, err.Error(), time.Now()}
		if was {
			f.list[source] = fault{source, err.Error(), before.since}
		}
		f.logger.Error("config not taken: the last good one, if any, keeps serving", "source", source, "error", err)
	}
}

// all returns the faults by source.
func (f *faults) all() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []fault
	for _, x := range f.list {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b fault) int { return cmp.Compare(a.source, b.source) })
	return list
}

var (
	configErrorsDesc = prometheus.NewDesc("xdsready_config_errors",
		"Sources whose last change was not taken, because it is faulty.", nil, nil)
	staleDesc = prometheus.NewDesc("xdsready_source_stale_seconds",
		"For how long changes of the source have not been taken; 0 while they are.", []string{"source"}, nil)
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
	for _, source := range []string{sourceDirectory, sourceCertificates} {
		stale := 0.0
		if x, ok := f.list[source]; ok {
			stale = time.Since(x.since).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, stale, source)
	}
}
