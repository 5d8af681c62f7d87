package controlplane

import (
	"context"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/xds"
)

// dial connects to an address of the plane.
func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The admin server tells the state of the proxies and lists its services with
// those of the xDS server; proxies are not told about one another.
func TestAdminServer(t *testing.T) {
	p, _ := newPlane(t, map[string]string{"a.yaml": cluster}, func(*Options) {})
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	xdsAddress, _, adminAddress := p.Addresses()
	xdsConn, adminConn := dial(t, xdsAddress), dial(t, adminAddress)

	stream, err := discovery.NewAggregatedDiscoveryServiceClient(xdsConn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const clusters = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	if err := stream.Send(&discovery.DiscoveryRequest{Node: &corev3.Node{Id: "envoy-1"}, TypeUrl: clusters}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	answer, err := statusv3.NewClientStatusDiscoveryServiceClient(adminConn).FetchClientStatus(ctx, &statusv3.ClientStatusRequest{})
	if err != nil || len(answer.GetConfig()) != 1 {
		t.Fatalf("CSDS: %v, %v, want one proxy", answer, err)
	}
	if got := xds.ProxyOf(answer.GetConfig()[0]); got.NodeID != "envoy-1" || got.Group != "all" || got.State() != xds.Stale {
		t.Errorf("CSDS: %+v", got)
	}
	_, err = statusv3.NewClientStatusDiscoveryServiceClient(xdsConn).FetchClientStatus(ctx, &statusv3.ClientStatusRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("CSDS on the xDS address: %v, want UNIMPLEMENTED", err)
	}
	names := serviceNames(ctx, t, adminConn)
	for _, want := range []string{
		"envoy.service.status.v3.ClientStatusDiscoveryService", "envoy.service.discovery.v3.AggregatedDiscoveryService", "grpc.health.v1.Health",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("reflection lists %q, want %s in it", names, want)
		}
	}
}

// serviceNames are the services that reflection lists.
func serviceNames(ctx context.Context, t *testing.T, conn *grpc.ClientConn) []string {
	t.Helper()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range response.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	return names
}
