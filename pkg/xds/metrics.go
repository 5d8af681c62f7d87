package xds

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

var (
	unknownDesc = prometheus.NewDesc("xdsready_unknown_group_streams",
		"Streams that are held because their node group has no snapshot.", nil, nil)
	groupsDesc = prometheus.NewDesc("xdsready_groups",
		"Node groups that have a snapshot, those that disappeared and are still kept included.", nil, nil)
	danglingDesc = prometheus.NewDesc("xdsready_dangling_references",
		"References to resources that are known to be absent, over all node groups.", []string{"kind"}, nil)
	placeholdersDesc = prometheus.NewDesc("xdsready_placeholders",
		"Empty resources that are served for absent ones, over all node groups.", []string{"type"}, nil)
	removalsDesc = prometheus.NewDesc("xdsready_removals_pending",
		"Clusters that proxies still hold and that will be removed, over all streams.", nil, nil)
	heldDesc = prometheus.NewDesc("xdsready_removals_held",
		"Resources that proxies hold and are to lose, but not yet because too many are lost at once (--max-removals), over all streams.", nil, nil)
	generationsDesc = prometheus.NewDesc("xdsready_generation_bytes",
		"Size of the resources of older snapshots that are remembered for proxies that reconnect.", nil, nil)
	syncsDesc = prometheus.NewDesc("xdsready_initial_syncs",
		"Streams that get their first config now, and that wait for their turn.", []string{"state"}, nil)
	syncsLimitDesc = prometheus.NewDesc("xdsready_initial_syncs_limit",
		"How many streams may get their first config at a time.", nil, nil)
	syncsAllowedDesc = prometheus.NewDesc("xdsready_initial_syncs_allowed",
		"How many of them may at this moment: fewer than the limit while the machine is busy.", nil, nil)
	syncsPeakDesc = prometheus.NewDesc("xdsready_initial_syncs_peak",
		"The most streams that got their first config at a time since the start.", nil, nil)
	snapshotTimeDesc = prometheus.NewDesc("xdsready_snapshot_timestamp_seconds",
		"When the newest snapshot was published, in seconds since 1970; 0 before the first.", nil, nil)
)

// Why a request is refused, values of a label.
const (
	refusedNode      = "no_node"
	refusedType      = "type"
	refusedNonce     = "nonce"
	refusedNames     = "names"
	refusedMalformed = "malformed"
	refusedTooLarge  = "too_large"
	refusedStuck     = "stuck"
)

// What came of asking other replicas for a version, values of a label.
const (
	recallTold    = "told"
	recallUnknown = "unknown"
)

// metrics are what is counted while it happens.
type metrics struct {
	bytes     *prometheus.CounterVec
	deadlines *prometheus.CounterVec
	resumed   *prometheus.CounterVec
	refused   *prometheus.CounterVec
	moved     *prometheus.CounterVec
	holds     *prometheus.CounterVec
	waits     *prometheus.HistogramVec
	recalls   *prometheus.CounterVec
	unknown   prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "xdsready_" + name, Help: help}, labels)
	}
	m := &metrics{
		bytes: counter("response_bytes_total", "Bytes of resources sent.", "type"),
		deadlines: counter("publish_step_deadlines_total",
			"Switches that did not wait longer for what they need.", "step", "cause"),
		resumed: counter("resumed_streams_total", "Streams of proxies that held config, by what they needed.", "result"),
		refused: counter("requests_refused_total", "Streams ended because of a request, or because the proxy did not read.", "reason"),
		moved:   counter("streams_moved_total", "Streams ended so that their proxy goes to another replica, by why.", "reason"),
		holds: counter("removal_holds_total",
			"Times that too much of a type was to go at once (--max-removals) and was held, by stream.", "type"),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "xdsready_initial_sync_wait_seconds",
			Help:    "Time from the arrival of a stream that needs config to its turn for it: cold, of proxies that have none, or older, of proxies that serve with something older.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 15, 60},
		}, []string{"need"}),
		recalls: counter("recalls_total", "Versions that were not known here and that other replicas were asked for, by whether one told.", "result"),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "xdsready_unknown_versions_total",
			Help: "Types of which a reconnecting proxy had a version that is not known here.",
		}),
	}
	for _, typeURL := range cache.AllTypes() {
		m.bytes.WithLabelValues(label(typeURL))
		m.holds.WithLabelValues(label(typeURL))
	}
	for _, typeURL := range publish.OrderedTypes() {
		for _, cause := range publish.Causes() {
			m.deadlines.WithLabelValues(label(typeURL), string(cause))
		}
	}
	for _, result := range []string{publish.ResumedCurrent, publish.ResumedChanged, publish.ResumedUnknown} {
		m.resumed.WithLabelValues(result)
	}
	for _, reason := range []string{refusedNode, refusedType, refusedNonce, refusedNames, refusedMalformed, refusedTooLarge, refusedStuck} {
		m.refused.WithLabelValues(reason)
	}
	for why := range texts {
		m.moved.WithLabelValues(string(why))
	}
	for _, result := range []string{recallTold, recallUnknown} {
		m.recalls.WithLabelValues(result)
	}
	for _, need := range []publish.Need{publish.Cold, publish.Older} {
		m.waits.WithLabelValues(need.String())
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.bytes, m.deadlines, m.resumed, m.refused, m.moved, m.holds, m.waits, m.recalls, m.unknown}
}

// sent counts a response.
func (m *metrics) sent(typeURL string, bytes int) {
	m.bytes.WithLabelValues(label(typeURL)).Add(float64(bytes))
}

// recalled counts what came of asking other replicas.
func (m *metrics) recalled(r recall) {
	result := recallTold
	if r.served == nil {
		result = recallUnknown
	}
	m.recalls.WithLabelValues(result).Inc()
}

// waited measures the wait of a stream whose turn has come.
func (m *metrics) waited(t *turn) {
	m.waits.WithLabelValues(t.need.String()).Observe(t.let.Sub(t.asked).Seconds())
}

// event counts what a state machine told.
func (m *metrics) event(e publish.Event) {
	switch e.Kind {
	case publish.DeadlinePassed:
		m.deadlines.WithLabelValues(label(e.TypeURL), string(e.Cause)).Inc()
	case publish.Resumed:
		m.resumed.WithLabelValues(e.Result).Inc()
	case publish.UnknownVersion:
		m.unknown.Inc()
	case publish.RemovalsHeld:
		m.holds.WithLabelValues(label(e.TypeURL)).Inc()
	}
}

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{unknownDesc, groupsDesc, danglingDesc, placeholdersDesc, removalsDesc, heldDesc, generationsDesc,
		syncsDesc, syncsLimitDesc, syncsAllowedDesc, syncsPeakDesc, snapshotTimeDesc} {
		ch <- d
	}
	for _, c := range s.metrics.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (s *Server) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	dangling, placeholders := map[string]int{}, map[string]int{}
	for _, typeURL := range cache.AllTypes() {
		dangling[label(typeURL)], placeholders[label(typeURL)] = 0, 0
	}
	groups := s.store.Groups()
	for _, group := range groups {
		snapshot, ok := s.store.Get(group)
		if !ok {
			continue // dropped since Groups
		}
		for _, reference := range snapshot.Dangling() {
			dangling[label(reference.Type)]++
		}
		for _, placeholder := range snapshot.Placeholders() {
			placeholders[label(placeholder.TypeURL())]++
		}
	}
	gauge(unknownDesc, float64(s.unknown.held.Load()))
	gauge(groupsDesc, float64(len(groups)))
	for kind, n := range dangling {
		gauge(danglingDesc, float64(n), kind)
	}
	for kind, n := range placeholders {
		gauge(placeholdersDesc, float64(n), kind)
	}
	var removals, held int
	for _, one := range s.streams.all() {
		waiting, kept := one.removals()
		removals, held = removals+waiting, held+kept
	}
	gauge(removalsDesc, float64(removals))
	gauge(heldDesc, float64(held))
	gauge(generationsDesc, float64(s.groups.generationBytes()))
	syncs := s.pace.state()
	gauge(syncsDesc, float64(syncs.inside), "running")
	gauge(syncsDesc, float64(syncs.waiting), "waiting")
	gauge(syncsLimitDesc, float64(syncs.limit))
	gauge(syncsAllowedDesc, float64(syncs.bound))
	gauge(syncsPeakDesc, float64(syncs.peak))
	gauge(snapshotTimeDesc, float64(s.newest.Load())/1e3)
	for _, c := range s.metrics.collectors() {
		c.Collect(ch)
	}
}

// label is the plain word for a type as a label value.
func label(typeURL string) string { return strings.ReplaceAll(cache.Kind(typeURL), " ", "_") }
