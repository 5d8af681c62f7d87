package admission

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	clusterservicev3 "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"github.com/xdsready/xdsready/pkg/ready"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

type (
	adsStream      = discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer
	deltaAdsStream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
)

// rig is an admission in front of a real gRPC server with ADS, the cluster
// service, grpc.health and reflection.
type rig struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	clusterservicev3.UnimplementedClusterDiscoveryServiceServer
	rigOptions

	reg       *ready.Registry
	open      func() // reports the only check: the gate opens
	drain     func() // ends the registry's run: the gate shuts
	stop      func() // ends the server and waits for its handlers
	admission *Admission
	accepted  atomic.Int64 // connections
	memory    *bufconn.Listener
}

type rigOptions struct {
	Options
	// What the services do; nil: return at once.
	handle      func(adsStream) error
	handleDelta func(deltaAdsStream) error
	fetch       func(*discoveryv3.DiscoveryRequest)

	serverTLS  *tls.Config
	unwrapped  bool // serve without Admission.Listener
	middleware []grpc.ServerOption
}

// countingListener counts the connections of a rig.
type countingListener struct {
	net.Listener
	accepted *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}

func newRig(t *testing.T, lis net.Listener, o rigOptions) *rig {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	r := &rig{rigOptions: o, reg: ready.NewWithOptions(ready.Options{Logger: silent}, "inputs")}
	r.open = r.reg.Tier("inputs").Signal("endpoints")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.reg.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	}()
	r.drain = func() { cancel(); <-ended }
	t.Cleanup(r.drain)

	if o.Logger == nil {
		o.Logger = silent
	}
	var err error
	if r.admission, err = New(r.reg, o.Options); err != nil {
		t.Fatal(err)
	}
	serverOptions := slices.Concat(o.middleware, r.admission.ServerOptions(), []grpc.ServerOption{grpc.WaitForHandlers(true)})
	if o.serverTLS != nil {
		serverOptions = append(serverOptions, grpc.Creds(credentials.NewTLS(o.serverTLS)))
	}
	server := grpc.NewServer(serverOptions...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, r)
	clusterservicev3.RegisterClusterDiscoveryServiceServer(server, r)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	lis = countingListener{lis, &r.accepted}
	if !o.unwrapped {
		lis = r.admission.Listener(lis)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(lis); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	r.stop = func() { server.Stop(); <-served }
	t.Cleanup(r.stop)
	return r
}

func (r *rig) StreamAggregatedResources(s adsStream) error {
	if r.handle == nil {
		return nil
	}
	return r.handle(s)
}

func (r *rig) DeltaAggregatedResources(s deltaAdsStream) error {
	if r.handleDelta == nil {
		return nil
	}
	return r.handleDelta(s)
}

func (r *rig) FetchClusters(_ context.Context, request *discoveryv3.DiscoveryRequest) (*discoveryv3.DiscoveryResponse, error) {
	if r.fetch != nil {
		r.fetch(request)
	}
	return &discoveryv3.DiscoveryResponse{}, nil
}

// loopback returns a rig on a TCP port and the port's address.
func loopback(t *testing.T, o rigOptions) (*rig, string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, lis, o), lis.Addr().String()
}

// inMemory returns a rig without a network, for a synctest bubble.
func inMemory(t *testing.T, o rigOptions) *rig {
	t.Helper()
	lis := bufconn.Listen(1 << 16)
	r := newRig(t, lis, o)
	r.memory = lis
	return r
}

// dial returns a new connection to a rig in memory.
func (r *rig) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	return dial(t, "passthrough:///memory", nil, grpc.WithContextDialer(
		func(ctx context.Context, _ string) (net.Conn, error) { return r.memory.DialContext(ctx) }))
}

func dial(t *testing.T, target string, clientTLS *tls.Config, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if clientTLS != nil {
		creds = credentials.NewTLS(clientTLS)
	}
	cc, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

type clientStream = discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesClient

// openStream opens an ADS stream; its first Recv tells how it was met.
func openStream(ctx context.Context, t *testing.T, cc *grpc.ClientConn) clientStream {
	t.Helper()
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(cc).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
