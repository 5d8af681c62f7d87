package gocontrolplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	restv3 "github.com/envoyproxy/go-control-plane/pkg/server/rest/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// Options are the settings of a Server. All fields may stay zero.
type Options struct {
	// Hash says which node group a proxy belongs to. It must be the NodeHash
	// that the SnapshotCache was made with. Nil means cachev3.IDHash, which
	// makes each proxy a group of its own.
	Hash cachev3.NodeHash
	// Registry is what the server's grpc.health.v1 follows. Nil: always serving.
	Registry *ready.Registry
	// Retention is how long a group is followed after its last stream has
	// closed, so that a proxy that comes back meets what it left. Zero means
	// cache.DefaultRetention. A group that never had a snapshot is let go at once.
	Retention time.Duration
	// Server has the settings of the server itself. Group must be nil: it is
	// Hash.
	Server xds.Options
}

func (o Options) withDefaults() Options {
	if o.Hash == nil {
		o.Hash = cachev3.IDHash{}
	}
	if o.Retention == 0 {
		o.Retention = cache.DefaultRetention
	}
	if o.Server.Logger == nil {
		o.Server.Logger = slog.Default()
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Server.Group != nil:
		return errors.New("Server.Group is set: the group of a proxy is what Hash says")
	case o.Retention < 0:
		return fmt.Errorf("retention is %v: it must not be negative", o.Retention)
	}
	return nil
}

// Server serves what a go-control-plane cache holds. It has all methods of
// go-control-plane's own, so that it is registered in the same way.
type Server struct {
	serverv3.Server
	xds     *xds.Server
	drained context.Context //nolint:containedctx // Drained returns it
}

// NewServer returns a server of what c holds, which must be a SnapshotCache, a
// LinearCache, or a MuxCache of these. It calls callbacks, which may be nil, as
// go-control-plane's server does: those of one stream never at the same time.
// The server runs until ctx ends; then it hands its proxies over, as
// Options.Server's DrainDelay and DrainWindow say, and follows c no longer. See Drained.
//
// It has go-control-plane's signature, without an error, and panics if c is of
// another kind or an option is wrong: both are mistakes of the program, found
// when it is first started.
func NewServer(ctx context.Context, c cachev3.Cache, callbacks serverv3.Callbacks, o Options) *Server {
	if callbacks == nil {
		callbacks = serverv3.CallbackFuncs{}
	}
	o = o.withDefaults()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	groups := newGroups(running, c, o)
	server, err := o.build(c, groups.store)
	if err != nil {
		stop()
		panic("gocontrolplane.NewServer: " + err.Error())
	}
	drained := server.WithDrain(ctx)
	context.AfterFunc(drained, stop)
	go func() {
		if err := server.Run(running); err != nil {
			o.Server.Logger.Error("the xDS server has ended", "error", err)
		}
	}()
	handler := &handler{server: server, callbacks: callbacks, groups: groups}
	return &Server{
		Server: serverv3.NewServerAdvanced(restv3.NewServer(c, callbacks), handler, handler),
		xds:    server, drained: drained,
	}
}

// Drained returns a context that ends when NewServer's has ended and all proxies are
// handed over, as xds.Server.WithDrain says. Pass it to everything else that serves,
// and stop the grpc server when it ends.
func (s *Server) Drained() context.Context { return s.drained }

// build returns the server inside, or what NewServer panics for.
func (o Options) build(c cachev3.Cache, store *cache.Store) (*xds.Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := checkReadable(c); err != nil {
		return nil, err
	}
	o.Server.Group = o.Hash.ID
	return xds.New(o.Registry, store, o.Server)
}

// XDS returns the server inside: for its GRPCOptions, which save a copy of each
// response and end the streams of proxies that have vanished, its health service,
// status and metrics.
// Its Register is not for a program that has callbacks, and its Run is running.
func (s *Server) XDS() *xds.Server { return s.xds }
