package ready

import (
	"maps"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// The metrics of a registry, read at scrape time. Label values are closed: the
// names of tiers, checks and watched types, which the program chooses.
var (
	buildInfoDesc   = desc("build_info", "Always 1; the labels say what was built.", "version", "goversion")
	readyDesc       = desc("ready", "1 while /readyz is green, else 0.")
	openDesc        = desc("open", "1 while streams are admitted, else 0.")
	phaseDesc       = desc("phase", "1 for the present phase, 0 for the others.", "phase")
	tierSyncedDesc  = desc("tier_synced", "1 when the tier is complete, else 0.", "tier")
	checkSyncedDesc = desc("check_synced", "1 when the check is synced, else 0.", "tier", "check")
	tierSecondsDesc = desc("tier_sync_seconds",
		"How long the tier took from its turn to completion; so far, while it is pending.", "tier")
	checkSecondsDesc = desc("check_sync_seconds",
		"How long the check took from its tier's turn; so far, while it is pending.", "tier", "check")
	transitionsDesc = desc("transitions_total", "Changes of the phase.", "from", "to", "reason")
	skippedDesc     = desc("checks_skipped_total", "Optional checks that gave up at their deadline.", "tier")
	lateDesc        = desc("start_deadline_exceeded", "1 while the start takes longer than its deadline, else 0.")
	watchErrorsDesc = desc("watch_errors_total", "Failed lists and watches of informers, by the type they list.", "resource")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("xdsready_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (r *Registry) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfoDesc, readyDesc, openDesc, phaseDesc, tierSyncedDesc, checkSyncedDesc, tierSecondsDesc,
		checkSecondsDesc, transitionsDesc, skippedDesc, lateDesc, watchErrorsDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The series of phases, transitions
// and skipped checks are there from the start, at 0.
func (r *Registry) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	s := r.Status()
	gauge(buildInfoDesc, 1, version(), runtime.Version())
	gauge(readyDesc, number(s.Ready))
	gauge(openDesc, number(s.Open))
	for _, p := range []Phase{Starting, Ready, Degraded, Draining} {
		gauge(phaseDesc, number(s.Phase == p), string(p))
	}
	for _, t := range s.Tiers {
		gauge(tierSyncedDesc, number(t.State == Synced), t.Name)
		gauge(tierSecondsDesc, t.Seconds, t.Name)
		for _, c := range t.Checks {
			gauge(checkSyncedDesc, number(c.State == Synced), t.Name, c.Name)
			gauge(checkSecondsDesc, c.Seconds, t.Name, c.Name)
		}
	}
	if r == nil {
		return
	}
	r.mu.Lock()
	transitions, skipped, watchErrors := maps.Clone(r.transitions), maps.Clone(r.skipped), maps.Clone(r.watchErrors)
	late := r.late && r.phase == Starting
	r.mu.Unlock()
	gauge(lateDesc, number(late))
	for _, m := range moves {
		counter(transitionsDesc, transitions[m], string(m.from), string(m.to), m.reason)
	}
	for _, t := range s.Tiers {
		counter(skippedDesc, skipped[t.Name], t.Name)
	}
	for resource, n := range watchErrors {
		counter(watchErrorsDesc, n, resource)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// version is that of this module in the running program.
func version() string {
	const module = "github.com/xdsready/xdsready"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return info.Main.Version
}
