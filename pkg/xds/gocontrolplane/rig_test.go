package gocontrolplane_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/gocontrolplane"
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

// group is the node group of the tests' proxies: their node.cluster.
const group = "edge"

type byCluster struct{}

func (byCluster) ID(node *corev3.Node) string { return node.GetCluster() }

func node(id string) *corev3.Node { return &corev3.Node{Id: id, Cluster: group} }

// ours returns the server under test, which ends with the test. It removes what
// nothing routes to almost at once.
func ours(t *testing.T, c cachev3.Cache, callbacks serverv3.Callbacks) *gocontrolplane.Server {
	t.Helper()
	return gocontrolplane.NewServer(t.Context(), c, callbacks, gocontrolplane.Options{
		Hash: byCluster{}, Server: xds.Options{Logger: slog.New(slog.DiscardHandler), RemovalDelay: time.Millisecond},
	})
}

// dial serves what go-control-plane's server would be registered as, and returns
// a connection to it.
func dial(t *testing.T, server serverv3.Server) *grpc.ClientConn {
	t.Helper()
	var options []grpc.ServerOption
	if s, ok := server.(*gocontrolplane.Server); ok {
		options = s.XDS().GRPCOptions()
	}
	g := grpc.NewServer(options...)
	discovery.RegisterAggregatedDiscoveryServiceServer(g, server)
	clusterservice.RegisterClusterDiscoveryServiceServer(g, server)
	endpointservice.RegisterEndpointDiscoveryServiceServer(g, server)
	listener := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return conn
}

// testContext returns one that ends with the test or when patience does.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// setSnapshot stores the clusters and load assignments of these names.
func setSnapshot(t *testing.T, snapshots cachev3.SnapshotCache, version string, names ...string) {
	t.Helper()
	resources := map[resourcev3.Type][]types.Resource{}
	for _, name := range names {
		resources[resourcev3.ClusterType] = append(resources[resourcev3.ClusterType], cluster(name))
		resources[resourcev3.EndpointType] = append(resources[resourcev3.EndpointType], loadAssignment(name))
	}
	snapshot, err := cachev3.NewSnapshot(version, resources)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshots.SetSnapshot(t.Context(), group, snapshot); err != nil {
		t.Fatal(err)
	}
}

func cluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}},
	}
}

func loadAssignment(name string) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name}
}
