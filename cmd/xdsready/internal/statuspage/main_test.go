package statuspage

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of all test pages.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const (
	version  = "0f6b2c9d8e7a41503c2b1a0987654321"
	previous = "71c05b3e9a2d4f688e1d0c7b6a594837"
)

// pages are those of the golden files.
func pages() map[string]Page {
	return map[string]Page{
		"starting": starting(), "serving": serving(),
		"empty": {Time: now, Status: ready.Status{Phase: ready.Starting}},
	}
}

// starting is a page of a control plane that waits for its config.
func starting() Page {
	return Page{
		Time: now, Build: "v0.1.0", Source: "dir:/etc/xdsready",
		Status: ready.Status{
			Phase: ready.Starting, Uptime: 312.4, Message: "start deadline of 5m0s exceeded",
			Tiers: []ready.TierStatus{
				{Name: "process", State: ready.Synced, Seconds: 0.0004, Checks: []ready.CheckStatus{
					{Name: "listeners", Kind: ready.KindSignal, State: ready.Synced, Seconds: 0.0004},
				}},
				{Name: "informers", State: ready.Synced, Seconds: 1.5, Checks: []ready.CheckStatus{
					{Name: "directory", Kind: ready.KindWait, State: ready.Synced, Seconds: 0.021},
					{Name: "remote-cluster", Kind: ready.KindWait, State: ready.Skipped, Seconds: 1.5, Message: "gave up after 1.5s"},
				}},
				{Name: "krt", State: ready.Pending, Seconds: 310.9, Checks: []ready.CheckStatus{
					{Name: "config", Kind: ready.KindWait, State: ready.Failed, Seconds: 310.9,
						Message: "clusters.yaml:12: unknown field \"lb_polcy\"; did you mean \"lb_policy\"?"},
					{Name: "secrets", Kind: ready.KindWait, State: ready.Pending, Seconds: 310.9},
				}},
				{Name: "snapshot", State: ready.Pending, Message: "waits for krt", Checks: []ready.CheckStatus{
					{Name: "snapshot", Kind: ready.KindSignal, State: ready.Pending, Message: "waits for krt"},
				}},
			},
		},
		Faults: []Fault{{Source: "directory", Since: ago(5 * time.Minute),
			Message: "clusters.yaml:12: unknown field \"lb_polcy\"\nroutes.yaml:3: two resources are route table \"r\""}},
	}
}

// serving is a page of a control plane that is ready.
func serving() Page {
	synced := func(tier, check string, seconds float64) ready.TierStatus {
		return ready.TierStatus{Name: tier, State: ready.Synced, Seconds: seconds, Checks: []ready.CheckStatus{
			{Name: check, Kind: ready.KindWait, State: ready.Synced, Seconds: seconds},
		}}
	}
	return Page{
		Time: now, Build: "v0.1.0", Source: "dir:/etc/xdsready",
		Status: ready.Status{
			Ready: true, Open: true, Phase: ready.Ready, Uptime: 93_784,
			Tiers: []ready.TierStatus{
				synced("process", "listeners", 0.0004), synced("informers", "directory", 0.003),
				synced("krt", "config", 0.012), synced("snapshot", "snapshot", 0.002),
			},
		},
		Groups: []Group{
			{Name: "edge", Version: version, Since: ago(74 * time.Second),
				Resources: map[string]int{"cluster": 12, "load assignment": 12, "listener": 2, "route table": 1},
				Dangling:  []string{`route table "r" refers to cluster "old"`}, Placeholders: []string{`load assignment "payments"`},
				Withheld:   []string{`listener "https" is withheld: absent secrets ["tls"]; the last good one stays`},
				Unknowable: []string{`route table "r": a request header names the cluster`}},
			{Name: "inner", Version: previous, Since: ago(26 * time.Hour), Resources: map[string]int{"cluster": 1}},
		},
		Peers: []Peer{
			{Name: "xdsready-2f9kd-8a31c0de", Address: "10.0.1.7:18000", Build: "v0.2.0", State: ready.Ready, Connections: 341, Answered: ago(2 * time.Second),
				Differences: []string{"3 clusters, 1 listener of group edge", "group outer, which only the peer has"}},
			{Name: "10.0.2.9:18000", Address: "10.0.2.9:18000", State: Unreachable, Error: "no answer within 2s"},
		},
		Proxies: []Proxy{
			{Node: "edge-7d9c5-x2x8p", Group: "edge", Address: "10.0.3.17:51724", Transport: "delta", Since: ago(26 * time.Hour), State: xds.Synced, Types: []Type{
				{Type: "cluster", State: xds.Synced, Version: version, Updated: ago(73 * time.Second)},
				{Type: "listener", State: xds.Synced, Version: version, Updated: ago(72 * time.Second)},
			}},
			{Node: "edge-7d9c5-zzq4k", Group: "edge", Address: "10.0.3.18:40022", Transport: "delta", Since: ago(2 * time.Hour), State: xds.Failed, Lag: 74, Types: []Type{
				{Type: "cluster", State: xds.Synced, Version: previous, Updated: ago(2 * time.Hour)},
				{Type: "listener", State: xds.Failed, Version: version, Updated: ago(2 * time.Hour), Rejected: []string{"https"}, NACK: "Error adding/updating listener(s) https: cannot bind '0.0.0.0:443': Address already in use"},
			}},
			{Node: "inner-0", Group: "inner", Address: "[fd00::5]:33410", Transport: "sotw", Since: ago(400 * time.Millisecond), State: xds.Stale, Lag: 0.4,
				Waits: `the ACK of cluster "payments"`, Types: []Type{
					{Type: "cluster", State: xds.Stale}, {Type: "listener", State: xds.NotSent},
				}},
			{Address: "10.0.9.1:2222", Transport: "sotw", Since: ago(3 * time.Second), State: xds.NotSent},
		},
	}
}
