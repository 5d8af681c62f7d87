// Package drain lets a preStop hook, or a person, drain a replica and wait until
// that is done: `xdsready drain`.
package drain

import (
	"time"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/drain/drainv1"
)

// told is how often progress is told.
const told = 500 * time.Millisecond

// Replica is what is drained.
type Replica struct {
	// Drain begins the drain, if it has not begun, and returns what is closed when it
	// is done.
	Drain func() (done <-chan struct{})
	// Streams returns how many streams of proxies are open.
	Streams func() int
}

// Register adds the service that drains a replica.
func Register(server grpc.ServiceRegistrar, r Replica) {
	drainv1.RegisterDrainServer(server, &service{replica: r})
}

type service struct {
	drainv1.UnimplementedDrainServer

	replica Replica
}

// Start implements drainv1.DrainServer. A caller that hangs up does not end the
// drain.
func (s *service) Start(_ *drainv1.StartRequest, stream grpc.ServerStreamingServer[drainv1.Progress]) error {
	done := s.replica.Drain()
	round := time.NewTicker(told)
	defer round.Stop()
	for {
		if err := stream.Send(&drainv1.Progress{Streams: int64(s.replica.Streams())}); err != nil {
			return err
		}
		select {
		case <-done:
			return stream.Send(&drainv1.Progress{Drained: true})
		case <-round.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
