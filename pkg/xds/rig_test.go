package xds_test

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// rig is a Server that runs, with what it serves.
type rig struct {
	store  *cache.Store
	server *xds.Server
	conn   *grpc.ClientConn // over loopback; nil where newServer made the rig
	stop   func()           // ends Run and waits for it
}

// newServer runs a Server without a network.
func newServer(t *testing.T, registry *ready.Registry, o xds.Options) *rig {
	t.Helper()
	r := newIdleServer(t, registry, o)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.server.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v, want nil", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// newIdleServer makes a Server that does not run.
func newIdleServer(t *testing.T, registry *ready.Registry, o xds.Options) *rig {
	t.Helper()
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	r := &rig{store: &cache.Store{}}
	var err error
	if r.server, err = xds.New(registry, r.store, o); err != nil {
		t.Fatal(err)
	}
	return r
}

// newRig runs a Server and connects to it over loopback.
func newRig(t *testing.T, registry *ready.Registry, o xds.Options) *rig {
	t.Helper()
	r := newServer(t, registry, o)
	r.conn = r.listen(t)
	return r
}

// listen registers the server on one more grpc server, and connects to that.
func (r *rig) listen(t *testing.T, o ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	server := grpc.NewServer(o...)
	r.server.Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30))) // as Envoy, which has no limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return conn
}

// set stores a snapshot of these resources for a group.
func (r *rig) set(t *testing.T, group string, messages ...proto.Message) {
	t.Helper()
	r.store.Set(group, snapshotOf(t, messages...))
}

func snapshotOf(t *testing.T, messages ...proto.Message) *cache.Snapshot {
	t.Helper()
	var list []cache.Resource
	for _, m := range messages {
		list = append(list, resourceOf(t, m))
	}
	return build(t, list...)
}

func resourceOf(t *testing.T, m proto.Message) cache.Resource {
	t.Helper()
	resource, err := cache.NewResource(m)
	if err != nil {
		t.Fatal(err)
	}
	return resource
}

func build(t *testing.T, list ...cache.Resource) *cache.Snapshot {
	t.Helper()
	snapshot, err := cache.Build(list, cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// testContext returns one that ends with the test or when patience does.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// sotw opens an ADS stream in the state-of-the-world variant.
func (r *rig) sotw(ctx context.Context, t *testing.T) discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient {
	t.Helper()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(r.conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// delta opens an ADS stream in the delta variant.
func (r *rig) delta(ctx context.Context, t *testing.T) discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient {
	t.Helper()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(r.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func node(id, cluster string) *corev3.Node { return &corev3.Node{Id: id, Cluster: cluster} }

func edsCluster(name string) *clusterv3.Cluster {
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

// eventually polls until done is true: for what the server learns from a
// message that is still on its way.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s did not happen in %v", what, patience)
		}
	}
}
