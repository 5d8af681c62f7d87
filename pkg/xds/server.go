package xds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/publish"
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
	// RemovalDelay is how long a cluster that nothing routes to any more is
	// kept, for the requests that a filter of the proxy still holds after their
	// route was chosen. It delays a removal, never a switch. Zero means 15 s.
	RemovalDelay time.Duration
	// ListenerDrain is how long a proxy lets old connections live on a listener
	// that was changed or removed: its --drain-time-s. Clusters that only such a
	// listener could reach are kept that long. Zero means 10 min, as in Envoy.
	ListenerDrain time.Duration
	// MaxRemovals is how many percent of the resources of a type a proxy may lose
	// at once. More, and at least 2, are kept from going for HoldRemovals, in which
	// an input that vanished by mistake may come back. Zero: all go.
	MaxRemovals int
	// HoldRemovals is how long that is. Zero means 1 min.
	HoldRemovals time.Duration
	// MaxInitialSyncs is how many proxies get their first config on a stream at a
	// time; fewer do while the machine is busy. More wait, so that a fleet that
	// comes at once delays neither probes nor itself: who has nothing goes before
	// who has an older config, each in order of arrival. Who has the current config
	// waits for nobody. Zero means 64 for each CPU.
	MaxInitialSyncs int
	// DrainDelay is how long streams are served and admitted after WithDrain's
	// context has ended, until balancers send no proxy here. Zero: not at all.
	DrainDelay time.Duration
	// DrainWindow is over how long the proxies leave after that. Zero: all at once.
	DrainWindow time.Duration
	// MaxConnectionAge is after how long a proxy is moved, give or take a fifth, so
	// that replicas that were started later get their share. Zero: never.
	MaxConnectionAge time.Duration
	// Recall asks the other replicas for a generation that is not known here: a SotW
	// proxy that comes from one of them says no more of what it holds than a version.
	// It is called by many streams at a time, for the same generation too, and is to
	// return when ctx ends, which is soon. [Server.Recall] is the answer. Nil: nobody
	// is asked.
	Recall func(ctx context.Context, g Generation) ([]cache.Resource, error)
	// Logger gets a warning for each resource that a proxy rejects, once, for each
	// switch that does not wait longer, and for each group that loses too much at
	// once, and at debug level a line for each published snapshot. Nil means
	// slog.Default().
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
	if o.RemovalDelay == 0 {
		o.RemovalDelay = 15 * time.Second
	}
	if o.ListenerDrain == 0 {
		o.ListenerDrain = 10 * time.Minute
	}
	if o.HoldRemovals == 0 {
		o.HoldRemovals = time.Minute
	}
	if o.MaxInitialSyncs == 0 {
		o.MaxInitialSyncs = 64 * runtime.GOMAXPROCS(0)
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
	case o.RemovalDelay < 0:
		return fmt.Errorf("RemovalDelay is %v: it must not be negative", o.RemovalDelay)
	case o.ListenerDrain < 0:
		return fmt.Errorf("ListenerDrain is %v: it must not be negative", o.ListenerDrain)
	case o.MaxInitialSyncs < 0:
		return fmt.Errorf("MaxInitialSyncs is %d: it must not be negative", o.MaxInitialSyncs)
	case o.DrainDelay < 0:
		return fmt.Errorf("DrainDelay is %v: it must not be negative", o.DrainDelay)
	case o.DrainWindow < 0:
		return fmt.Errorf("DrainWindow is %v: it must not be negative", o.DrainWindow)
	case o.MaxConnectionAge < 0:
		return fmt.Errorf("MaxConnectionAge is %v: it must not be negative", o.MaxConnectionAge)
	}
	return o.validateGuard()
}

// Server serves the snapshots of a store. Make one with New, register it on any
// number of grpc servers, and call Run. All methods are safe for concurrent use.
type Server struct {
	options  Options
	registry *ready.Registry
	store    *cache.Store
	health   *healthServer
	metrics  *metrics
	stop     func()
	stopped  <-chan struct{} // ends every stream

	unknown unknownGroups
	groups  groups
	streams streams
	names   *nameTable
	pace    *pacer
	told    told

	newest atomic.Int64 // when the newest snapshot became an edition, in Unix milliseconds; 0: never
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
	stopped := make(chan struct{})
	return &Server{
		options: options, registry: registry, store: store,
		health:  newHealthServer(),
		metrics: newMetrics(),
		stop:    sync.OnceFunc(func() { close(stopped) }),
		stopped: stopped,
		unknown: unknownGroups{store: store, max: options.MaxUnknown, timeout: options.UnknownTimeout, stopped: stopped},
		names:   newNameTable(),
		pace:    newPacer(options.MaxInitialSyncs),
	}, nil
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
	if s.options.MaxConnectionAge > 0 {
		following.Go(func() { s.retire(ctx) })
	}
	known := map[string]bool{}
	for {
		changed := s.store.Changed()
		known = s.publish(known)
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// publish makes the newest snapshot of each group its edition, and returns the
// groups that the store knows.
func (s *Server) publish(before map[string]bool) map[string]bool {
	known := map[string]bool{}
	for _, name := range s.store.Groups() {
		known[name] = true
		s.refresh(name)
	}
	for name := range before {
		if !known[name] {
			s.options.Logger.Info("node group dropped", "group", name)
		}
	}
	return known
}

// refresh makes the newest snapshot of a group its edition, if it is not yet.
func (s *Server) refresh(name string) *group {
	group := s.groups.get(name)
	group.mu.Lock() // before the look into the store, so that who looks first is not last here
	defer group.mu.Unlock()
	snapshot, ok := s.store.Get(name)
	if ok && group.refreshLocked(snapshot, time.Now()) {
		s.newest.Store(time.Now().UnixMilli())
		s.options.Logger.Debug("snapshot published", "group", name, "version", snapshot.ContentVersion().String())
	}
	return group
}

// Proxies returns the connected streams, sorted by node, address and transport.
func (s *Server) Proxies() []Proxy {
	now := time.Now()
	var list []Proxy
	for _, one := range s.streams.all() {
		list = append(list, one.status(now))
	}
	slices.SortFunc(list, func(a, b Proxy) int {
		return cmp.Or(cmp.Compare(a.NodeID, b.NodeID), cmp.Compare(a.Address, b.Address),
			cmp.Compare(a.Transport, b.Transport), a.Since.Compare(b.Since))
	})
	return list
}

// status returns the state of the stream.
func (s *stream) status(now time.Time) Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxy
	p.Leaving = string(s.leaving)
	if s.machine == nil {
		return p
	}
	p.Waits = s.machine.Waits()
	if !s.behind.IsZero() {
		p.Lag = now.Sub(s.behind)
	}
	for _, t := range s.machine.Types() {
		p.Types = append(p.Types, TypeState{
			TypeURL: t.TypeURL, State: stateOf(t), Version: t.Version, Updated: t.Updated,
			NACK: t.Message, Rejected: t.Rejected,
		})
	}
	return p
}

func stateOf(t publish.TypeState) State {
	switch {
	case len(t.Rejected) > 0:
		return Failed
	case !t.Answered:
		return NotSent
	case !t.Current:
		return Stale
	}
	return Synced
}

// report tells people of an event.
func (s *Server) report(one *stream, e publish.Event) {
	s.metrics.event(e)
	logger := s.logger(one, e)
	switch e.Kind {
	case publish.Rejected:
		logger.Warn("proxy rejected", "names", e.Names, "error", e.Message)
	case publish.DeadlinePassed:
		logger.Warn("switch does not wait longer", "names", e.Names, "cause", string(e.Cause), "for", e.Message)
	case publish.UnknownVersion:
		logger.Info("proxy came with an unknown version: it gets all of the type, in plain order", "version", e.Message)
	case publish.UnknownOld:
		logger.Debug("proxy came with an old cluster that is not known here: it goes with the next response", "version", e.Message)
	case publish.Resumed:
		logger.Debug("proxy resumed", "result", e.Result)
	case publish.RemovalsHeld:
		s.reportHeld(one, e)
	}
}

// logger returns one for what an event says of a proxy.
func (s *Server) logger(one *stream, e publish.Event) *slog.Logger {
	return s.options.Logger.With("node", one.proxy.NodeID, "group", one.proxy.Group, "type", cache.Kind(e.TypeURL))
}

// refuse returns the status of a request that is refused, and counts it.
func (s *Server) refuse(reason string, code codes.Code, format string, values ...any) error {
	s.metrics.refused.WithLabelValues(reason).Inc()
	return status.Errorf(code, "xdsready: "+format, values...)
}
