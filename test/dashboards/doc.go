// Package dashboards runs every query of the Grafana dashboard and of the alert
// rules in deploy/, and of docs/upgrades.md, against a real Prometheus, which scrapes real control planes
// through a slow start, a faulty change and a hand-over. A panel without data
// fails.
//
// The picture in docs/dashboard.md is drawn from the same data:
//
//	go test ./dashboards -run TestAgainstPrometheus -update
package dashboards
