// Package controlplane is the reference control plane of `xdsready serve`: it
// wires a source, the registry, the snapshot store, the admission and the xDS
// server together.
//
//	configSource ──Update──▶ builder ──Snapshot──▶ cache.Store ──▶ xds.Server ──▶ proxies
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
	"slices"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certificates"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/identity"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// Plane is one run of the control plane.
type Plane struct {
	options Options

	registry     *ready.Registry
	inputs       *ready.Registry // the same; nil without a gate
	listening    func()          // reports the check process/listeners
	source       configSource
	cluster      *clusterSource // the source, if it is a Kubernetes cluster
	store        *cache.Store
	builder      *builder
	contents     *contents
	faults       *faults
	admission    *admission.Admission
	server       *xds.Server
	peers        *peers.Peers          // nil without --peers
	certificates *certificates.Watcher // nil without TLS
	metrics      *prometheus.Registry

	xdsListener, httpListener, adminListener net.Listener // adminListener may be nil
	xdsServer, adminServer                   *grpc.Server // adminServer may be nil
	httpServer                               *http.Server

	drain   func()          // begins the drain; both are set by Run
	drained <-chan struct{} // closed when it is done
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
	if err := p.addSource(parsed); err != nil {
		return nil, err
	}
	p.faults.sources = append(p.source.names(), sourceCertificates)
	p.addRegistry()
	if err := p.addServers(parsed); err != nil {
		return nil, err
	}
	if err := p.listen(); err != nil {
		return nil, err
	}
	return p, nil
}

// addSource makes the source.
func (p *Plane) addSource(parsed parsed) error {
	if p.options.Source == sourceKubernetes {
		c, err := newCluster(p.options, p.faults)
		p.cluster, p.source = c, c
		return err
	}
	d, err := newDirectory(p.options, parsed.path, parsed.grouping)
	if err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	p.source = d
	return nil
}

// addRegistry makes the tiers and their checks. A plane without a gate has but
// the first tier, and builds from whatever is there.
func (p *Plane) addRegistry() {
	tiers := []string{"process", "informers", "krt", "snapshot"}
	if len(p.options.Peers) > 0 {
		tiers = slices.Insert(tiers, 3, tierPeers)
	}
	if p.options.Ungated {
		tiers = tiers[:1]
	}
	p.registry = ready.NewWithOptions(ready.Options{
		Logger: p.options.Logger, Deadline: p.options.StartDeadline, Registerer: p.metrics,
	}, tiers...)
	p.listening = p.registry.Tier("process").Signal("listeners")
	if !p.options.Ungated {
		p.inputs = p.registry
	}
	p.source.register(p.inputs)
	p.inputs.Tier("snapshot").Snapshot("snapshot")
}

// authorize fills in who may take which node group.
func (p *Plane) authorize(parsed parsed, options *admission.Options) (err error) {
	if p.options.TokenAudience != "" {
		tokens := identity.NewTokens(p.cluster.Client(), p.options.TokenAudience)
		options.Authorize = func(ctx context.Context, node admission.Node) error {
			return tokens.Authorize(ctx, p.source.group(node))
		}
	}
	if len(parsed.patterns) == 0 {
		return nil
	}
	if options.Authorize, err = identity.SANs(parsed.patterns, p.source.group); err != nil {
		return fmt.Errorf("--group-san: %w", err)
	}
	if options.Peer, err = anySAN(parsed.patterns); err != nil {
		return fmt.Errorf("--group-san: %w", err)
	}
	return nil
}

// anySAN returns a function that lets only peers in whose certificate may take
// some node group.
func anySAN(patterns map[string][]string) (func(context.Context) error, error) {
	known, err := admission.SANs(map[string][]string{"": identity.Peers(patterns)}, func(admission.Node) string { return "" })
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if known(ctx, admission.Node{}) != nil {
			return errors.New("no SAN of its certificate may take any node group")
		}
		return nil
	}, nil
}

// addServers makes what proxies, people and probes talk to.
func (p *Plane) addServers(parsed parsed) error {
	options := admission.Options{
		Mode: parsed.mode, HoldTimeout: p.options.HoldTimeout, MaxHeld: p.options.MaxHeld,
		Group: p.source.group, Logger: slog.New(slog.DiscardHandler), // the server tells of rejections
	}
	err := p.authorize(parsed, &options)
	if err != nil {
		return err
	}
	if p.admission, err = admission.New(p.registry, options); err != nil {
		return err
	}
	served := xds.Options{
		Group:          p.source.groupOf,
		UnknownTimeout: p.options.HoldTimeout, MaxUnknown: p.options.MaxHeld,
		RemovalDelay: p.options.RemovalDelay, ListenerDrain: p.options.ListenerDrain, Logger: p.options.Logger,
		MaxRemovals: p.options.MaxRemovals, HoldRemovals: p.options.HoldRemovals,
		DrainDelay: p.options.DrainDelay, DrainWindow: p.options.DrainWindow,
		MaxInitialSyncs: p.options.MaxInitialSyncs, MaxConnectionAge: p.options.MaxConnectionAge,
	}
	if len(p.options.Peers) > 0 {
		served.Recall = p.recall
	}
	if p.server, err = xds.New(p.registry, p.store, served); err != nil {
		return err
	}
	p.builder = &builder{
		source: p.source, registry: p.inputs, store: p.store, stored: p.admission.Stored,
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
	if err := p.addPeers(); err != nil {
		return err
	}
	p.httpServer = p.newHTTPServer()
	if p.options.AdminAddress != "" {
		p.adminServer = p.newAdminServer()
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

// Opened returns a channel that is closed when the gate opens.
func (p *Plane) Opened() <-chan struct{} { return p.registry.Opened() }

// errStopped is why the plane's parts end when one of them has failed.
var errStopped = errors.New("another part of the control plane has failed")

// Run serves until ctx ends or the admin server is asked to drain, then drains:
// /readyz is red at once, all is served for DrainDelay, the proxies leave over
// DrainWindow, and then everything ends. It returns nil after a drain, and the
// error of the part that failed otherwise.
func (p *Plane) Run(ctx context.Context) error {
	logger := p.options.Logger
	xdsAddress, httpAddress, adminAddress := p.Addresses()
	logger.Info("xdsready starts", "version", p.options.Version, "source", p.options.Source, "admission", p.options.Admission,
		"xds", xdsAddress, "http", httpAddress, "admin", adminAddress)
	if p.options.InsecureAnyNode {
		logger.Warn("--insecure-any-node: whoever reaches the xDS address can read the config of every node group, its secrets included")
	}
	ctx, p.drain = context.WithCancel(ctx)
	defer p.drain()
	drained := p.server.WithDrain(ctx)
	p.drained = drained.Done()
	err := run(drained, p.parts())
	logger.Info("xdsready has ended")
	return err
}
