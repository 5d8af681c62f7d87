package admission

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/ready"
)

// convergenceBuckets reach from an ACK on loopback (2 ms) to the deadlines after
// which Envoy and its users give up.
var convergenceBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300}

var (
	streamsDesc = prometheus.NewDesc("xdsready_streams",
		"Discovery streams by state: held at the gate (all gated calls), syncing (something it subscribed to is not ACKed), converged, or draining (connected to a replica that drains).",
		[]string{"state"}, nil)
	oldestDesc = prometheus.NewDesc("xdsready_oldest_unconverged_seconds",
		"How long the stream that has been syncing for longest has been so; 0 if none is.",
		nil, nil)
)

// metrics are the series that events drive. Each combination of label values
// exists from the start, so that a first increment is seen as one.
type metrics struct {
	refused     *prometheus.CounterVec
	nacks       *prometheus.CounterVec
	responses   *prometheus.CounterVec
	firstConfig prometheus.Histogram
	convergence prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xdsready_streams_refused_total",
			Help: "Gated calls that were refused, by reason.",
		}, []string{"reason"}),
		nacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xdsready_nacks_total",
			Help: "Responses that a proxy rejected.",
		}, []string{"type"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xdsready_responses_total",
			Help: "Discovery responses handed to gRPC on streams.",
		}, []string{"type", "kind"}),
		firstConfig: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "xdsready_first_config_seconds",
			Help:    "Time from the arrival of a stream, held or not, to the first moment at which all types it subscribed to are ACKed (on ADS: listeners among them). Streams of proxies that resume with config of an earlier stream are not counted.",
			Buckets: convergenceBuckets,
		}),
		convergence: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "xdsready_convergence_seconds",
			Help:    "Time from a snapshot being stored to the last ACK, on one stream, of the responses it set off.",
			Buckets: convergenceBuckets,
		}),
	}
	for _, reason := range []outcome{gateShut, heldTooLong, tooManyHeld, drainingNow, movedAway, unauthorized} {
		m.refused.WithLabelValues(string(reason))
	}
	for _, t := range resourceTypes {
		m.nacks.WithLabelValues(t.label)
		m.responses.WithLabelValues(t.label, "sotw")
		m.responses.WithLabelValues(t.label, "delta")
	}
	return m
}

func (m *metrics) refuse(reason outcome) { m.refused.WithLabelValues(string(reason)).Inc() }

func (m *metrics) nack(t resourceType) { m.nacks.WithLabelValues(t.String()).Inc() }

func (m *metrics) response(r response) {
	kind := "sotw"
	if r.delta {
		kind = "delta"
	}
	m.responses.WithLabelValues(r.resource.String(), kind).Inc()
}

func (m *metrics) observe(done measured) {
	if done.firstConfig > 0 {
		m.firstConfig.Observe(done.firstConfig.Seconds())
	}
	if done.convergence > 0 {
		m.convergence.Observe(done.convergence.Seconds())
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.refused, m.nacks, m.responses, m.firstConfig, m.convergence}
}

// Describe implements prometheus.Collector.
func (a *Admission) Describe(ch chan<- *prometheus.Desc) {
	ch <- streamsDesc
	ch <- oldestDesc
	for _, c := range a.metrics.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector. It looks at every stream.
func (a *Admission) Collect(ch chan<- prometheus.Metric) {
	now := a.streams.count(time.Now(), a.metrics)
	draining := 0
	if a.reg.Phase() == ready.Draining {
		draining = now.syncing + now.converged
		now.syncing, now.converged = 0, 0
	}
	for state, n := range map[string]int{
		"held": a.queue.held(), "syncing": now.syncing, "converged": now.converged, "draining": draining,
	} {
		ch <- prometheus.MustNewConstMetric(streamsDesc, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, now.oldest.Seconds())
	for _, c := range a.metrics.collectors() {
		c.Collect(ch)
	}
}
