package envoy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A proxy takes a group only with a certificate that fits it; any other gets
// PERMISSION_DENIED and nothing else.
func TestCertificateDecidesTheGroup(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue(t, "server", "spiffe://example.org/control-plane")
	ca.issue(t, "edge", "spiffe://example.org/ns/prod/sa/edge")
	ca.issue(t, "inner", "spiffe://example.org/ns/prod/sa/inner")
	files := under("edge", whole(startBackend(t)))
	maps.Copy(files, under("inner", whole(startBackend(t))))
	c := startServe(t, files, "--node-group", "cluster",
		"--tls-cert", ca.file("server.crt"), "--tls-key", ca.file("server.key"), "--tls-client-ca", ca.file("ca.crt"),
		"--group-san", "edge=spiffe://example.org/ns/*/sa/edge", "--group-san", "inner=spiffe://example.org/ns/*/sa/inner")
	eventually(t, "a green /readyz", c.ready)

	for _, transport := range transports {
		identity := func(name string) string {
			return bootstrap(t, "--xds-address", c.xds, "--transport", transport, "--tls-ca", ca.file("ca.crt"),
				"--tls-cert", ca.file(name+".crt"), "--tls-key", ca.file(name+".key"))
		}
		t.Run("Envoy/"+transport, func(t *testing.T) {
			t.Parallel()
			right := startEnvoy(t, identity("edge"), "edge")
			wrong := startEnvoy(t, identity("inner"), "edge")
			eventually(t, "traffic through the Envoy with the right certificate", right.serves)
			eventually(t, "the refusal in the other's log", func() bool {
				// Envoy prints the number of the status code, 7 for PERMISSION_DENIED.
				return strings.Contains(wrong.output(), "closed: 7,")
			})
			never(t, "the Envoy with the wrong certificate is ready", 3*time.Second, wrong.ready)
			if code, body := get("http://" + wrong.admin + "/config_dump"); code != 200 || strings.Contains(body, "dynamic_active_clusters") {
				t.Errorf("the Envoy with the wrong certificate got clusters (config_dump %d)", code)
			}
		})
	}
	t.Run("nothing but PERMISSION_DENIED is on the wire", func(t *testing.T) {
		t.Parallel()
		for _, group := range []string{"edge", "inner"} {
			got, err := firstResponse(t, c.xds, ca, "inner", group)
			if group == "inner" {
				if err != nil {
					t.Errorf("own group: %v", err)
				}
			} else if status.Code(err) != codes.PermissionDenied || got != nil {
				t.Errorf("other group: %v, %v, want PERMISSION_DENIED and no response", got, err)
			}
		}
	})
}

// firstResponse asks for the clusters of a group with a certificate.
func firstResponse(t *testing.T, address string, ca *authority, certificate, group string) (*discovery.DiscoveryResponse, error) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(ca.file(certificate+".crt"), ca.file(certificate+".key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(ca.file("ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("reading the CA: %v", err)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(
		credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := &discovery.DiscoveryRequest{Node: &corev3.Node{Id: "a", Cluster: group}, TypeUrl: resourcev3.ClusterType}
	if err := stream.Send(request); err != nil {
		return nil, err
	}
	return stream.Recv()
}
