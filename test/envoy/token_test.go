package envoy

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

// An Envoy with --token-file sends the token with its streams, and after the
// kubelet has replaced the file, the new one, without a restart.
func TestToken(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			plane := startTokenPlane(t, ca)
			tokens := newTokenVolume(t, "first")
			startEnvoy(t, bootstrap(t, "--xds-address", plane.address, "--transport", transport, "--tls-ca", ca.file("ca.crt"),
				"--token-file", tokens.file(), "--sds-dir", t.TempDir()), "all")

			if diff := cmp.Diff([]string{"Bearer first"}, plane.next(t)); diff != "" {
				t.Errorf("authorization of the first stream (-want +got):\n%s", diff)
			}
			tokens.replace(t, "second")
			// Envoy hears of the new file in its own time, so streams are ended until one has it.
			eventually(t, "the new token", func() bool {
				return cmp.Equal([]string{"Bearer second"}, plane.next(t))
			})
		})
	}
}

// Without the token's file there is no stream, rather than one without a token.
func TestTokenMissing(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	plane := startTokenPlane(t, ca)
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", plane.address, "--tls-ca", ca.file("ca.crt"),
		"--token-file", filepath.Join(t.TempDir(), "token"), "--sds-dir", t.TempDir()), "all")
	eventually(t, "the fault in Envoy's log", func() bool {
		return strings.Contains(envoy.output(), "Failed to inject credential")
	})
	select {
	case got := <-plane.streams:
		t.Fatalf("a stream without a token: %q", got)
	case <-time.After(2 * time.Second):
	}
}

// tokenPlane is a control plane that only looks at the token of each stream. A
// stream is answered once, so that the next one comes soon, and then ended.
type tokenPlane struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer

	address string
	streams chan []string // of each stream, its authorization
}

func startTokenPlane(t *testing.T, ca *authority) *tokenPlane {
	t.Helper()
	ca.issue(t, "server", "spiffe://example.org/control-plane")
	pair, err := tls.LoadX509KeyPair(ca.file("server.crt"), ca.file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	p := &tokenPlane{streams: make(chan []string)}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	discovery.RegisterAggregatedDiscoveryServiceServer(server, p)
	p.address = serve(t, server, nil, false)
	return p
}

// next returns the authorization of the next stream.
func (p *tokenPlane) next(t *testing.T) []string {
	t.Helper()
	select {
	case got := <-p.streams:
		return got
	case <-time.After(patience):
		t.Fatalf("no stream within %v", patience)
		return nil
	}
}

// show hands the stream's authorization to the test.
func (p *tokenPlane) show(stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	select {
	case p.streams <- md.Get("authorization"):
		return nil
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

func (p *tokenPlane) DeltaAggregatedResources(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := stream.Send(&discovery.DeltaDiscoveryResponse{TypeUrl: request.GetTypeUrl(), Nonce: "1"}); err != nil {
		return err
	}
	return p.show(stream)
}

func (p *tokenPlane) StreamAggregatedResources(stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := stream.Send(&discovery.DiscoveryResponse{TypeUrl: request.GetTypeUrl(), VersionInfo: "1", Nonce: "1"}); err != nil {
		return err
	}
	return p.show(stream)
}

// tokenVolume is a projected volume as the kubelet keeps it: the file leads
// through the link ..data to a directory, and a new token is a new directory to
// which the link is moved by a rename.
type tokenVolume struct{ dir string }

func newTokenVolume(t *testing.T, token string) tokenVolume {
	t.Helper()
	v := tokenVolume{t.TempDir()}
	v.replace(t, token)
	if err := os.Symlink(filepath.Join("..data", "token"), v.file()); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v tokenVolume) file() string { return filepath.Join(v.dir, "token") }

func (v tokenVolume) replace(t *testing.T, token string) {
	t.Helper()
	version, link := filepath.Join(v.dir, ".."+token), filepath.Join(v.dir, "..data_tmp")
	if err := os.Mkdir(version, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(version, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Base(version), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(v.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}
