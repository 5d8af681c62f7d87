package envoy

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/xds"
)

// observed is our server, all of whose streams are recorded.
type observed struct {
	*ordered
	wire

	server atomic.Pointer[xds.Server]
}

// startObserved runs the server until the test ends.
func startObserved(t *testing.T, options xds.Options) *observed {
	t.Helper()
	o := &observed{}
	server := o.replace(t, options)
	grpcServer := grpc.NewServer(append(server.GRPCOptions(), grpc.ChainStreamInterceptor(o.intercept, o.toNewest))...)
	server.Register(grpcServer)
	o.address = serve(t, grpcServer, nil, false)
	return o
}

// replace makes new streams be served by another server, which knows nothing of
// what the one before has published: as after a restart of the control plane.
func (o *observed) replace(t *testing.T, options xds.Options) *xds.Server {
	t.Helper()
	next := &ordered{}
	if o.ordered != nil {
		next.address = o.address
	}
	options.Logger = slog.New(slog.DiscardHandler)
	server, err := xds.New(nil, &next.store, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the xDS server: %v", err)
		}
	})
	o.ordered = next
	o.server.Store(server)
	return server
}

// toNewest is a grpc.StreamServerInterceptor that lets the newest server serve.
func (o *observed) toNewest(_ any, ss grpc.ServerStream, info *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
	return o.server.Load().ServeStream("", strings.Contains(info.FullMethod, "Delta"), ss)
}

// envoy publishes the files and returns an Envoy that serves them.
func (o *observed) envoy(t *testing.T, transport string, files map[string]string, flags ...string) *proxy {
	t.Helper()
	o.publish(t, parse(t, files))
	envoy := startEnvoy(t, bootstrap(t, "--xds-address", o.address, "--transport", transport), "all", flags...)
	eventually(t, "traffic through Envoy", envoy.serves)
	return envoy
}

// rejected returns the names of a type that an Envoy rejects, as status has
// them, and what it says about them.
func (o *observed) rejected(typeURL string) (names []string, message string) {
	for _, p := range o.server.Load().Proxies() {
		for _, state := range p.Types {
			if state.TypeURL == typeURL && state.State == xds.Failed {
				return state.Rejected, state.NACK
			}
		}
	}
	return nil, ""
}

// with returns the files with one more, or another one of that name.
func with(files map[string]string, name, text string) map[string]string {
	more := maps.Clone(files)
	more[name] = text
	return more
}

// noFailures stops the traffic and fails the test if a request has failed.
func noFailures(t *testing.T, stop func() (requests, failed int64)) {
	t.Helper()
	if requests, failed := stop(); failed > 0 || requests == 0 {
		t.Errorf("%d of %d requests failed", failed, requests)
	}
}

// hasCluster reports whether a cluster is in use: it is not while it warms for
// the first time.
func (p *proxy) hasCluster(name string) bool {
	code, body := get("http://" + p.admin + "/clusters")
	return code == http.StatusOK && strings.Contains("\n"+body, "\n"+name+"::observability_name::")
}

// updates returns how often Envoy has taken config of each type, and endpoints
// of the cluster "backend".
func (p *proxy) updates() map[string]string {
	counts := map[string]string{}
	for _, name := range []string{
		"cluster_manager.cds.update_success", "listener_manager.lds.update_success",
		"http.http.rds.main.update_success", "cluster.backend.update_success",
	} {
		counts[name] = p.stat(name)
	}
	return counts
}
