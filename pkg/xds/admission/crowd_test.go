package admission

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Many streams, some of which give up, meet the gate before, while and after it
// opens, with snapshots and scrapes all the time. Each that stays is served, and
// nothing is left of any.
func TestACrowdAtTheGate(t *testing.T) {
	const connections, streamsEach = 10, 60
	r, addr := loopback(t, rigOptions{
		Options: Options{Mode: Hold, HoldTimeout: patience, Authorize: anyID, Group: byCluster},
		handle: func(s adsStream) error {
			for {
				request, err := s.Recv()
				if err != nil || request.GetResponseNonce() != "" {
					return err
				}
				if err := s.Send(&discoveryv3.DiscoveryResponse{TypeUrl: request.GetTypeUrl(), Nonce: "1"}); err != nil {
					return err
				}
			}
		},
	})
	metrics := gatherer(t, r.admission)
	background, stop := context.WithCancel(t.Context())
	var observers, proxies sync.WaitGroup
	observers.Go(func() {
		for background.Err() == nil {
			r.admission.Stored("edge")
			if _, err := metrics.Gather(); err != nil {
				t.Errorf("gathering: %v", err)
			}
		}
	})
	var arrived, served, gaveUp atomic.Int64
	for range connections {
		cc := dial(t, addr, nil)
		for range streamsEach {
			proxies.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if arrived.Add(1) == connections*streamsEach/2 {
					r.open()
				}
				impatient := rand.IntN(3) == 0
				if impatient {
					go cancel()
				}
				switch err := load(ctx, cc); {
				case err == nil:
					served.Add(1)
				case impatient && status.Code(err) == codes.Canceled:
					gaveUp.Add(1)
				default:
					t.Errorf("a stream ended with %v", err)
				}
			})
		}
	}
	proxies.Wait()
	stop()
	observers.Wait()
	t.Logf("%d served, %d gave up", served.Load(), gaveUp.Load())
	r.stop() // waits for all handlers
	if got := scrape(t, metrics); got["first_config_seconds_count"] != 0 || got["responses_total{sotw,cluster}"] < float64(served.Load()) {
		t.Errorf("%v streams had a first config, want 0 without listeners; %v responses, want at least %d",
			got["first_config_seconds_count"], got["responses_total{sotw,cluster}"], served.Load())
	}
	r.admission.conns.mu.Lock()
	defer r.admission.conns.mu.Unlock()
	if held, groups, conns := r.admission.queue.held(), len(r.admission.streams.groups), len(r.admission.conns.byAddr); held+groups+conns != 0 {
		t.Errorf("left: %d held calls, %d groups, %d connections, want none", held, groups, conns)
	}
}

// load loads clusters, and returns nil once the handler has ended the stream.
func load(ctx context.Context, cc *grpc.ClientConn) error {
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(cc).StreamAggregatedResources(ctx)
	if err != nil {
		return err
	}
	request := sotwFrom(Node{ID: "a", Cluster: "edge"})
	request.TypeUrl = resourcev3.ClusterType
	_ = s.Send(request) // its error is what Recv returns
	response, err := s.Recv()
	if err != nil {
		return err
	}
	_ = s.Send(&discoveryv3.DiscoveryRequest{TypeUrl: resourcev3.ClusterType, ResponseNonce: response.GetNonce()})
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
