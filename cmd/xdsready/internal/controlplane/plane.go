// Package controlplane is the reference control plane of `xdsready serve`: it
// wires a directory source, the registry, the snapshot store, the admission and
// the xDS server together.
//
//	dir.Source ──Update──▶ builder ──Snapshot──▶ cache.Store ──▶ xds.Server ──▶ proxies
//	    │ listed, synced      │ stored                              ▲
//	    ▼                     ▼                                     │
//	 ready.Registry: process → informers → krt → snapshot ──gate──▶ admission
package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certificates"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// Plane is one run of the control plane.
type Plane struct {
	options Options

	registry     *ready.Registry
	listening    func() // reports the check process/listeners
	source       *dir.Source
	store        *cache.Store
	builder      *builder
	contents     *contents
	faults       *faults
	admission    *admission.Admission
	server       *xds.Server
	certificates *certificates.Watcher // nil without TLS
	metrics      *prometheus.Registry

	xdsListener, httpListener, adminListener net.Listener // adminListener may be nil
	xdsServer, adminServer                   *grpc.Server // adminServer may be nil
	httpServer                               *http.Server
}

// New makes a control plane: it checks the options, reads the certificates and
// opens the listeners, so that whatever cannot be used is an error that names
// its flag before anything runs. It starts no goroutine.
func New(options Options) (*Plane, error) {
	parsed, err := options.parse()
	if err != nil {
		return nil, err
	}
	p := &Plane{
		options: options, store: &cache.Store{}, contents: &contents{}, faults: newFaults(options.Logger),
		metrics: prometheus.NewRegistry(),
	}
	if p.source, err = dir.New(parsed.path, dir.Options{Grouping: parsed.grouping, Logger: options.Logger}); err != nil {
		return nil, fmt.Errorf("--source: %w", err)
	}
	p.addRegistry()
	if err := p.addServers(parsed); err != nil {
		return nil, err
	}
	if err := p.listen(); err != nil {
		return nil, err
	}
	return p, nil
}

// addRegistry makes the tiers and their checks.
func (p *Plane) addRegistry() {
	p.registry = ready.NewWithOptions(ready.Options{
		Logger: p.options.Logger, Deadline: p.options.StartDeadline, Registerer: p.metrics,
	}, "process", "informers", "krt", "snapshot")
	p.listening = p.registry.Tier("process").Signal("listeners")
	p.registry.Tier("informers").Chan("directory", p.source.Listed())
	p.registry.Tier("krt").Syncer("config", p.source)
	p.registry.Tier("snapshot").Snapshot("snapshot")
}

// addServers makes what proxies, people and probes talk to.
func (p *Plane) addServers(parsed parsed) error {
	group := groupOf(parsed.grouping)
	nodeGroup := func(n admission.Node) string { return group(n.ID, n.Cluster) }
	options := admission.Options{
		Mode: parsed.mode, HoldTimeout: p.options.HoldTimeout, MaxHeld: p.options.MaxHeld,
		Group: nodeGroup, Logger: slog.New(slog.DiscardHandler), // the server tells of rejections
	}
	var err error
	if len(parsed.patterns) > 0 {
		if options.Authorize, err = admission.SANs(parsed.patterns, nodeGroup); err != nil {
			return fmt.Errorf("--group-san: %w", err)
		}
		if options.Peer, err = anySAN(parsed.patterns); err != nil {
			return fmt.Errorf("--group-san: %w", err)
		}
	}
	if p.admission, err = admission.New(p.registry, options); err != nil {
		return err
	}
	p.server, err = xds.New(p.registry, p.store, xds.Options{
		Group:          func(n *corev3.Node) string { return group(n.GetId(), n.GetCluster()) },
		UnknownTimeout: p.options.HoldTimeout, MaxUnknown: p.options.MaxHeld,
		RemovalDelay: p.options.RemovalDelay, ListenerDrain: p.options.ListenerDrain, Logger: p.options.Logger,
	})
	if err != nil {
		return err
	}
	p.builder = &builder{
		updates: p.source.Updates(), registry: p.registry, store: p.store, stored: p.admission.Stored,
		contents: p.contents, faults: p.faults, retention: p.options.GroupRetention,
		logger: p.options.Logger, seconds: newBuildSeconds(),
	}
	tlsConfig, err := p.addCertificates()
	if err != nil {
		return err
	}
	p.metrics.MustRegister(p.admission, p.server, p.faults, p.builder.seconds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.xdsServer = newXDSServer(p.server, p.admission, tlsConfig)
	p.httpServer = p.newHTTPServer()
	if p.options.AdminAddress != "" {
		p.adminServer = newAdminServer(p.xdsServer, p.server)
	}
	return nil
}

// addCertificates returns nil where no TLS is asked for.
func (p *Plane) addCertificates() (*tls.Config, error) {
	if p.options.TLSCert == "" {
		return nil, nil
	}
	var err error
	p.certificates, err = certificates.New(certificates.Options{
		CertFile: p.options.TLSCert, KeyFile: p.options.TLSKey, ClientCAFile: p.options.TLSClientCA,
		Logger:  p.options.Logger,
		OnFault: func(err error) { p.faults.set(sourceCertificates, err) },
	})
	if err != nil {
		return nil, err
	}
	return p.certificates.TLSConfig(), nil
}

// listen opens the listeners, all or none.
func (p *Plane) listen() (err error) {
	var opened []net.Listener
	open := func(flag, address string) net.Listener {
		if err != nil || address == "" {
			return nil
		}
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err != nil {
			if errors.Is(err, syscall.EADDRINUSE) {
				err = fmt.Errorf("%s: %w: stop the other process or choose another port", flag, err)
				return nil
			}
			err = fmt.Errorf("%s: %w", flag, err)
			return nil
		}
		opened = append(opened, listener)
		return listener
	}
	xdsListener := open("--xds-address", p.options.XDSAddress)
	p.httpListener = open("--http-address", p.options.HTTPAddress)
	p.adminListener = open("--admin-address", p.options.AdminAddress)
	if err != nil {
		for _, listener := range opened {
			_ = listener.Close() // nobody has used it
		}
		return err
	}
	p.xdsListener = p.admission.Listener(xdsListener)
	return nil
}

// Addresses returns where the plane listens: xDS, HTTP, and admin, which is
// empty if there is none. They differ from the options where a port is 0.
func (p *Plane) Addresses() (xdsAddress, httpAddress, adminAddress string) {
	if p.adminListener != nil {
		adminAddress = p.adminListener.Addr().String()
	}
	return p.xdsListener.Addr().String(), p.httpListener.Addr().String(), adminAddress
}

// errStopped is why the plane's parts end when one of them has failed.
var errStopped = errors.New("another part of the control plane has failed")

// Run serves until ctx ends, then drains: /readyz is red at once, streams are
// served for DrainDelay, and then everything ends. It returns nil after a
// drain, and the error of the part that failed otherwise.
func (p *Plane) Run(ctx context.Context) error {
	logger := p.options.Logger
	xdsAddress, httpAddress, adminAddress := p.Addresses()
	logger.Info("xdsready starts", "version", p.options.Version, "source", p.options.Source, "admission", p.options.Admission,
		"xds", xdsAddress, "http", httpAddress, "admin", adminAddress)
	if p.options.InsecureAnyNode {
		logger.Warn("--insecure-any-node: whoever reaches the xDS address can read the config of every node group, its secrets included")
	}
	err := run(p.registry.WithDrain(ctx, p.options.DrainDelay), p.parts())
	logger.Info("xdsready has ended")
	return err
}
