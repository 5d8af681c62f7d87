package controlplane

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/drain"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// newXDSServer returns the server that proxies connect to.
func newXDSServer(server *xds.Server, admitted *admission.Admission, config *tls.Config) *grpc.Server {
	options := append(admitted.ServerOptions(), server.GRPCOptions()...)
	// One connection carries a stream per cluster where a proxy does not use ADS.
	options = append(options, grpc.MaxConcurrentStreams(100_000))
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	xdsServer := grpc.NewServer(options...)
	server.Register(xdsServer)
	return xdsServer
}

// newAdminServer returns the server for people on this machine: CSDS, health, the
// drain, and reflection of these and of the xDS server's services.
func (p *Plane) newAdminServer() *grpc.Server {
	admin := grpc.NewServer()
	p.server.RegisterHealth(admin)
	p.server.RegisterCSDS(admin)
	drain.Register(admin, drain.Replica{
		Drain:   func() <-chan struct{} { p.drain(); return p.drained },
		Streams: func() int { return len(p.server.Proxies()) },
	})
	reflected := reflection.NewServerV1(reflection.ServerOptions{Services: services{p.xdsServer, admin}})
	reflectionv1.RegisterServerReflectionServer(admin, reflected)
	return admin
}

// services are those of several servers.
type services []*grpc.Server

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (s services) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := map[string]grpc.ServiceInfo{}
	for _, server := range s {
		maps.Copy(all, server.GetServiceInfo())
	}
	return all
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
		if p.cluster != nil {
			mux.Handle("/debug/krt", p.cluster)
		}
	}
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
}
