package controlplane

import (
	"crypto/tls"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// newXDSServer returns the server that proxies connect to.
func newXDSServer(admitted *admission.Admission, config *tls.Config) *grpc.Server {
	options := append(admitted.ServerOptions(),
		// One connection carries a stream per cluster where a proxy does not
		// use ADS.
		grpc.MaxConcurrentStreams(100_000),
		// A proxy that has vanished without a word is noticed after 40 s. The
		// proxies of `xdsready bootstrap` ask as often themselves.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	return grpc.NewServer(options...)
}

// newAdminServer returns the server for people on this machine: reflection of
// the xDS server's services, and its health.
func newAdminServer(xdsServer *grpc.Server, server *xds.Server) *grpc.Server {
	admin := grpc.NewServer()
	server.RegisterHealth(admin)
	reflected := reflection.NewServerV1(reflection.ServerOptions{Services: xdsServer})
	reflectionv1.RegisterServerReflectionServer(admin, reflected)
	return admin
}

// newHTTPServer returns the server for the kubelet, Prometheus and people.
func (p *Plane) newHTTPServer() *http.Server {
	mux := http.NewServeMux()
	for _, path := range []string{"/readyz", "/readyz/", "/livez", "/startupz"} {
		mux.Handle(path, p.registry)
	}
	mux.Handle("/metrics", promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{Registry: p.metrics}))
	mux.Handle("/", statuspage.Handler(p.page))
	if p.options.Debug {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
}
