package xds

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/cache"
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
	snapshotTimeDesc = prometheus.NewDesc("xdsready_snapshot_timestamp_seconds",
		"When the newest snapshot was published, in seconds since 1970; 0 before the first.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{unknownDesc, groupsDesc, danglingDesc, placeholdersDesc, snapshotTimeDesc} {
		ch <- d
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
	gauge(snapshotTimeDesc, s.publishedAt())
}

// label is the plain word for a type as a label value.
func label(typeURL string) string { return strings.ReplaceAll(cache.Kind(typeURL), " ", "_") }
