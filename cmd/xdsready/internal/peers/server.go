package peers

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/ready"
)

// phases are the words for a phase on the wire. One that is not known here,
// that of a newer program, counts as starting: nothing is asked of such a peer.
var phases = map[ready.Phase]peersv1.Phase{
	ready.Starting: peersv1.Phase_PHASE_STARTING,
	ready.Ready:    peersv1.Phase_PHASE_READY,
	ready.Degraded: peersv1.Phase_PHASE_DEGRADED,
	ready.Draining: peersv1.Phase_PHASE_DRAINING,
}

// phaseOf is the phase that a peer told.
func phaseOf(told peersv1.Phase) ready.Phase {
	for phase, word := range phases {
		if word == told {
			return phase
		}
	}
	return ready.Starting
}

// server answers what peers ask.
type server struct {
	peersv1.UnimplementedPeersServer
	options *Options
}

// Register adds the service to a grpc server.
func (p *Peers) Register(r grpc.ServiceRegistrar) {
	peersv1.RegisterPeersServer(r, &server{options: &p.options})
}

// authorize returns PERMISSION_DENIED for a caller that is no peer.
func (s *server) authorize(ctx context.Context) error {
	if s.options.Authorize == nil {
		return nil
	}
	if err := s.options.Authorize(ctx); err != nil {
		return status.Errorf(codes.PermissionDenied, "xdsready: not a peer: %v", err)
	}
	return nil
}

// State implements peersv1.PeersServer.
func (s *server) State(ctx context.Context, request *peersv1.StateRequest) (*peersv1.StateResponse, error) {
	o := s.options
	if err := s.authorize(ctx); err != nil {
		return nil, err
	}
	content := describe(o.Content, request.GetPath(), request.GetVersion())
	if content == nil {
		return nil, status.Errorf(codes.InvalidArgument, "xdsready: a path has at most 2 elements, not %d", len(request.GetPath()))
	}
	response := &peersv1.StateResponse{
		Replica: o.Name, Build: o.Build, Phase: phases[o.Phase()],
		Connections: int64(o.Connections()), Content: content,
	}
	for _, w := range o.Inputs.Watermarks() {
		response.Watermarks = append(response.Watermarks, &peersv1.Watermark{Cluster: w.Cluster, Resource: w.Resource, Version: w.Changed})
	}
	return response, nil
}
