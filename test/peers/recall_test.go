package peers

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// patience bounds every wait for an answer.
const patience = 20 * time.Second

// clusters opens a stream of a SotW proxy that has the clusters of a version, and
// returns the names and the version of those that it gets, which it accepts.
func (r *replica) clusters(t *testing.T, holds string) (names []string, version string) {
	t.Helper()
	conn, err := grpc.NewClient(r.xds, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := &discovery.DiscoveryRequest{Node: &corev3.Node{Id: "proxy"}, TypeUrl: resourcev3.ClusterType, VersionInfo: holds}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if response.GetTypeUrl() != resourcev3.ClusterType {
			continue // the greeting
		}
		for _, packed := range response.GetResources() {
			var cluster clusterv3.Cluster
			if err := packed.UnmarshalTo(&cluster); err != nil {
				t.Fatal(err)
			}
			names = append(names, cluster.GetName())
		}
		return names, response.GetVersionInfo()
	}
}

// A SotW proxy that comes from another replica keeps the cluster that only that one
// knows until nothing can use it, instead of losing it at once.
func TestRecall(t *testing.T) {
	a, b, alone := newReplica(t), newReplica(t), newReplica(t)
	a.configure(t, time.Second, time.Second)
	for _, r := range []*replica{b, alone} {
		r.configure(t, 2*time.Second)
	}
	a.start(t, a, b)
	b.start(t, a, b)
	alone.start(t, alone)
	held, version := a.clusters(t, "")
	if diff := cmp.Diff([]string{"c0", "c1"}, held); diff != "" {
		t.Fatalf("clusters of the first replica (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		comesTo *replica
		want    []string
		metrics []string
	}{
		{b, []string{"c0", "c1"}, []string{`xdsready_recalls_total{result="told"} 1`, `xdsready_unknown_versions_total 0`}},
		{alone, []string{"c0"}, []string{`xdsready_recalls_total{result="unknown"} 1`, `xdsready_unknown_versions_total 1`}},
	} {
		got, _ := test.comesTo.clusters(t, version)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("clusters of another replica (-want +got):\n%s", diff)
		}
		test.comesTo.until(t, "/metrics", strings.Join(test.metrics, ", "), func(code int, body string) bool {
			for _, line := range test.metrics {
				if !strings.Contains(body, "\n"+line+"\n") {
					return false
				}
			}
			return code == http.StatusOK
		})
	}
}
