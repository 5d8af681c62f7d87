package statuspage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/xds"
)

func TestProxyOf(t *testing.T) {
	const clusters, listeners = "type.googleapis.com/envoy.config.cluster.v3.Cluster", "type.googleapis.com/envoy.config.listener.v3.Listener"
	since, updated := ago(time.Minute), ago(time.Second)
	got := ProxyOf(xds.Proxy{
		NodeID: "n", Group: "g", Address: "a:1", Transport: xds.Delta, Since: since, Lag: 1500 * time.Millisecond, Waits: "an ACK",
		Types: []xds.TypeState{
			{TypeURL: clusters, State: xds.Synced, Version: "2", Updated: updated},
			{TypeURL: listeners, State: xds.Failed, Version: "1", Updated: updated, NACK: "no", Rejected: []string{"https"}},
		},
	})
	want := Proxy{
		Node: "n", Group: "g", Address: "a:1", Transport: "delta", Since: since, State: xds.Failed, Lag: 1.5, Waits: "an ACK",
		Types: []Type{
			{Type: "cluster", State: xds.Synced, Version: "2", Updated: updated},
			{Type: "listener", State: xds.Failed, Version: "1", Updated: updated, NACK: "no", Rejected: []string{"https"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ProxyOf (-want +got):\n%s", diff)
	}
}

func TestRejection(t *testing.T) {
	for _, test := range []struct {
		nack     string
		rejected []string
		want     string
	}{
		{"why", nil, "why"},
		{"why", []string{"a", "b", "c"}, "a, b, c: why"},
		{"why", []string{"a", "b", "c", "d", "e"}, "a, b, c and 2 more: why"},
		{"Error adding/updating cluster(s) a: why, b: why", []string{"a", "b"}, "Error adding/updating cluster(s) a: why, b: why"},
	} {
		if got := (Type{NACK: test.nack, Rejected: test.rejected}).Rejection(); got != test.want {
			t.Errorf("%q: %q, want %q", test.rejected, got, test.want)
		}
	}
}
