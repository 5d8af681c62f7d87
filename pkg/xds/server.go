package xds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	runtimeservice "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
)

// AllGroup is the node group of every proxy where Options.Group is nil.
const AllGroup = "all"

// Options are the settings of a Server. All fields may stay zero.
type Options struct {
	// Group says which node group a proxy belongs to. It must be a pure
	// function, safe for concurrent use. Nil puts every proxy into AllGroup.
	Group func(*corev3.Node) string
	// UnknownTimeout is how long a stream of an unknown node group is held
	// before it ends with UNAVAILABLE, so that a proxy behind one address can
	// reach a replica that knows its group. Zero means 30 s.
	UnknownTimeout time.Duration
	// MaxUnknown is how many streams of unknown groups are held at a time; one
	// more ends with UNAVAILABLE at once. Zero means 10,000.
	MaxUnknown int
	// Logger gets a line for each published snapshot. Nil means slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Group == nil {
		o.Group = func(*corev3.Node) string { return AllGroup }
	}
	if o.UnknownTimeout == 0 {
		o.UnknownTimeout = 30 * time.Second
	}
	if o.MaxUnknown == 0 {
		o.MaxUnknown = 10_000
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.UnknownTimeout < 0:
		return fmt.Errorf("UnknownTimeout is %v: it must not be negative", o.UnknownTimeout)
	case o.MaxUnknown < 0:
		return fmt.Errorf("MaxUnknown is %d: it must not be negative", o.MaxUnknown)
	}
	return nil
}

// Server serves the snapshots of a store. Make one with New, register it on any
// number of grpc servers, and call Run. All methods are safe for concurrent use.
type Server struct {
	options   Options
	registry  *ready.Registry
	store     *cache.Store
	snapshots cachev3.SnapshotCache // what go-control-plane serves, by node group
	xds       serverv3.Server
	health    *healthServer
	stop      context.CancelFunc // ends every stream

	unknown unknownGroups
	proxies proxies

	mu sync.Mutex // guards both below
	// published is the version of each group that was handed to snapshots last.
	published map[string]cache.Version
	newest    time.Time // when the last of them was
}

// New returns a server of store's snapshots whose health follows registry (nil:
// always serving). It returns an error that names the field for bad options.
func New(registry *ready.Registry, store *cache.Store, options Options) (*Server, error) {
	if store == nil {
		return nil, errors.New("store is nil: an xDS server needs a cache.Store")
	}
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		options: options, registry: registry, store: store,
		// Not its ads mode: that never answers a request whose names do not
		// cover the whole snapshot.
		snapshots: cachev3.NewSnapshotCache(false, nodeGroup(options.Group), nil),
		health:    newHealthServer(),
		stop:      stop,
		published: map[string]cache.Version{},
	}
	s.unknown = unknownGroups{store: store, max: options.MaxUnknown, timeout: options.UnknownTimeout}
	s.proxies = proxies{streams: map[streamKey]*stream{}}
	s.xds = serverv3.NewServer(ctx, s.snapshots, callbacks{s})
	return s, nil
}

// nodeGroup makes a group function a NodeHash.
type nodeGroup func(*corev3.Node) string

// ID implements cachev3.NodeHash.
func (g nodeGroup) ID(node *corev3.Node) string { return g(node) }

// Register adds ADS, the per-type xDS services and grpc.health.v1, which says
// NOT_SERVING from the first moment until the registry is ready.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	discovery.RegisterAggregatedDiscoveryServiceServer(r, s.xds)
	clusterservice.RegisterClusterDiscoveryServiceServer(r, s.xds)
	endpointservice.RegisterEndpointDiscoveryServiceServer(r, s.xds)
	listenerservice.RegisterListenerDiscoveryServiceServer(r, s.xds)
	routeservice.RegisterRouteDiscoveryServiceServer(r, s.xds)
	routeservice.RegisterScopedRoutesDiscoveryServiceServer(r, s.xds)
	routeservice.RegisterVirtualHostDiscoveryServiceServer(r, s.xds)
	secretservice.RegisterSecretDiscoveryServiceServer(r, s.xds)
	runtimeservice.RegisterRuntimeDiscoveryServiceServer(r, s.xds)
	extensionservice.RegisterExtensionConfigDiscoveryServiceServer(r, s.xds)
	s.RegisterHealth(r)
}

// RegisterHealth adds grpc.health.v1 alone, for a server beside the one that
// proxies connect to.
func (s *Server) RegisterHealth(r grpc.ServiceRegistrar) { healthv1.RegisterHealthServer(r, s.health) }

// Run publishes what the store gets and lets the health status follow the
// registry, until ctx ends. It then ends every stream and returns nil.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop()
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { s.health.follow(ctx, s.registry) })
	for {
		changed := s.store.Changed()
		if err := s.publish(ctx); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// publish hands the groups whose snapshot is new to go-control-plane, and takes
// away those that the store has dropped.
func (s *Server) publish(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := map[string]bool{}
	for _, group := range s.store.Groups() {
		snapshot, ok := s.store.Get(group)
		if !ok {
			continue // dropped since Groups
		}
		current[group] = true
		if last, ok := s.published[group]; ok && last == snapshot.ContentVersion() {
			continue
		}
		if err := s.snapshots.SetSnapshot(ctx, group, snapshot.ToGoControlPlane()); err != nil && ctx.Err() == nil {
			return fmt.Errorf("publishing node group %q: %w", group, err)
		}
		s.published[group], s.newest = snapshot.ContentVersion(), time.Now()
		s.options.Logger.Debug("snapshot published", "group", group, "version", snapshot.ContentVersion().String())
	}
	for group := range s.published {
		if !current[group] {
			s.snapshots.ClearSnapshot(group)
			delete(s.published, group)
			s.options.Logger.Info("node group dropped", "group", group)
		}
	}
	return nil
}

// publishedAt is when the newest snapshot was published, in Unix seconds.
func (s *Server) publishedAt() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest.IsZero() {
		return 0
	}
	return float64(s.newest.UnixMilli()) / 1e3
}
