package admission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/internal/moved"
)

// Admission stands between the gate of a registry and the xDS services of any
// number of gRPC servers. It is a prometheus.Collector. All methods are safe
// for concurrent use.
type Admission struct {
	reg     *ready.Registry
	options Options // with defaults filled in
	queue   *queue
	conns   connTable
	streams tracker
	metrics *metrics
}

// New returns an Admission for the gate of reg. A nil registry is an open gate.
// The error names the option that is out of range.
func New(reg *ready.Registry, o Options) (*Admission, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("admission options: %w", err)
	}
	return newAdmission(reg, o), nil
}

// ServerOptions is New with default options for programs that want nothing but
// the gate: calls are refused while it is shut. Their connections stay open,
// because that needs a Listener; behind one balanced address use New.
func ServerOptions(reg *ready.Registry) []grpc.ServerOption {
	return newAdmission(reg, Options{}).ServerOptions()
}

func newAdmission(reg *ready.Registry, o Options) *Admission {
	o = o.withDefaults()
	return &Admission{reg: reg, options: o, queue: newQueue(reg, o), metrics: newMetrics()}
}

// ServerOptions returns the interceptors. They are chained behind those of the
// options that precede them, so put them after your own authentication, and
// they leave room for a grpc.StreamInterceptor.
func (a *Admission) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainStreamInterceptor(a.interceptStream),
		grpc.ChainUnaryInterceptor(a.interceptUnary),
	}
}

// Stored says that a new snapshot of a group, as Options.Group names them, can
// be sent to its proxies from now on: the start of convergence_seconds. Call it
// right before the server gets the snapshot; a response that leaves before the
// call is not measured.
func (a *Admission) Stored(group string) { a.streams.stored(group, time.Now(), a.metrics) }

// gated reports whether the gate is in front of a method. Everything else on
// the port passes: grpc.health, reflection, a CA.
func gated(fullMethod string) bool { return strings.HasPrefix(fullMethod, "/envoy.service.") }

func (a *Admission) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c, err := a.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	if a.options.Authorize != nil && gated(info.FullMethod) {
		node, _ := nodeOf(req)
		if err := a.authorize(ctx, node); err != nil {
			return nil, err
		}
	}
	return handler(ctx, req)
}

func (a *Admission) interceptStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	began := time.Now()
	c, err := a.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	defer c.leave()
	if !gated(info.FullMethod) {
		return handler(srv, ss)
	}
	s := newStream(a, ss, info.FullMethod, began)
	defer s.end()
	err = handler(srv, s)
	if errors.As(err, new(moved.Error)) {
		c.move()
	}
	// A handler that learns of a denial through RecvMsg may end the stream in
	// its own way (go-control-plane: with OK).
	if denial := s.denied(); denial != nil {
		return denial
	}
	return err
}

// enter returns the call's connection, to be left when the call returns, or the
// error that ends the call. The connection is nil if it did not come through
// Listener.
func (a *Admission) enter(ctx context.Context, fullMethod string) (*conn, error) {
	c := a.conns.of(ctx)
	if !gated(fullMethod) {
		c.enter()
		return c, nil
	}
	if err := a.authorizePeer(ctx); err != nil {
		return nil, err
	}
	if err := a.pass(ctx, c); err != nil {
		return nil, err
	}
	if !c.enterAdmitted() {
		a.metrics.refuse(movedAway)
		return nil, status.Error(codes.Unavailable, "xdsready: this connection is closed so that its proxy goes to another replica")
	}
	return c, nil
}

// pass waits for a gated call to be let through, or returns its refusal. While
// the gate is open it is one atomic load.
func (a *Admission) pass(ctx context.Context, c *conn) error {
	if a.reg.Open() {
		return nil
	}
	why := gateShut
	switch {
	case a.reg.Phase() == ready.Draining: // nothing is worth waiting for
		why = drainingNow
	case a.options.Mode == Hold:
		why = a.queue.wait(ctx, connKey(ctx, c))
	}
	switch why {
	case admitted:
		return nil
	case canceled:
		return status.FromContextError(ctx.Err()).Err()
	}
	shut := a.reg.AdmissionErr()
	if shut == nil {
		return nil // it opened in the meantime
	}
	a.metrics.refuse(why)
	c.refuse()
	return status.Error(codes.Unavailable, cut(shut.Error())+a.detail(why))
}

// maxReason is how much of another's text, in bytes, a refusal repeats. It
// travels as a header, which triples what is not ASCII, and Envoy takes 60 KiB
// of those.
const maxReason = 4096

// cut returns text, shortened to maxReason.
func cut(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "…"
}

// detail is what a refusal adds to the text of the registry.
func (a *Admission) detail(why outcome) string {
	switch why {
	case heldTooLong:
		return fmt.Sprintf(" (held for %v)", a.options.HoldTimeout)
	case tooManyHeld:
		return fmt.Sprintf(" (not held: at most %d streams and %d connections are)",
			a.options.MaxHeld, a.options.MaxHeldConnections)
	}
	return ""
}

// connKey returns what tells the connections of held calls apart: the
// connection, or for one that did not come through Listener the peer's address.
func connKey(ctx context.Context, c *conn) any {
	if c != nil {
		return c
	}
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}
