package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// Recall asks the peers of the last round for a generation, all at once, and returns
// what the first has that has it. The error says why none has. Equal questions that
// come at the same time are asked once.
func (p *Peers) Recall(ctx context.Context, g xds.Generation) ([]cache.Resource, error) {
	key := strings.Join(append([]string{g.Group, g.TypeURL, g.Version.String()}, g.Names...), "\n")
	for {
		found, err, shared := p.recalls.Do(key, func() (any, error) { return p.recall(ctx, g) })
		if shared && errors.Is(err, context.Canceled) && ctx.Err() == nil {
			continue // whoever asked has gone
		}
		resources, _ := found.([]cache.Resource)
		return resources, err
	}
}

func (p *Peers) recall(ctx context.Context, g xds.Generation) ([]cache.Resource, error) {
	p.mu.Lock()
	asked := p.asked
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		resources []cache.Resource
		err       error
	}
	answers := make(chan answer, len(asked))
	for _, one := range asked {
		go func() {
			resources, err := one.recall(ctx, g)
			answers <- answer{resources, err}
		}()
	}
	var why []string
	for range asked {
		select {
		case a := <-answers:
			if a.err == nil {
				return a.resources, nil
			}
			why = append(why, a.err.Error())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err // and so have the peers' answers ended
	}
	return nil, fmt.Errorf("no peer has told it: %s", cmp.Or(strings.Join(why, "; "), "there is none"))
}

// recall asks the peer for a generation. It is safe for concurrent use.
func (one *peer) recall(ctx context.Context, g xds.Generation) ([]cache.Resource, error) {
	answer, err := peersv1.NewPeersClient(one.conn).Recall(ctx, &peersv1.RecallRequest{
		Group: g.Group, TypeUrl: g.TypeURL, Version: g.Version[:], Names: g.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %s", one.address, status.Convert(err).Message())
	}
	resources := make([]cache.Resource, 0, len(answer.GetResources()))
	for _, told := range answer.GetResources() {
		resource, err := cache.NewResourceFromAny(&anypb.Any{TypeUrl: g.TypeURL, Value: told.GetEncoded()})
		if err != nil {
			return nil, fmt.Errorf("%s: its answer makes no sense: %w", one.address, err)
		}
		resources = append(resources, resource.WithTTL(time.Duration(told.GetTtl())))
	}
	return resources, nil
}

// Recall implements peersv1.PeersServer.
func (s *server) Recall(ctx context.Context, request *peersv1.RecallRequest) (*peersv1.RecallResponse, error) {
	if err := s.authorize(ctx); err != nil {
		return nil, err
	}
	if want, got := len(cache.Version{}), len(request.GetVersion()); got != want {
		return nil, status.Errorf(codes.InvalidArgument, "xdsready: a version has %d bytes, not %d", want, got)
	}
	resources, ok := s.options.Recall(xds.Generation{
		Group: request.GetGroup(), TypeURL: request.GetTypeUrl(), Version: cache.Version(request.GetVersion()), Names: request.GetNames(),
	})
	if !ok {
		return nil, status.Error(codes.NotFound, "xdsready: the version is not known here")
	}
	response := &peersv1.RecallResponse{}
	for _, resource := range resources {
		response.Resources = append(response.Resources, &peersv1.Resource{Encoded: resource.Encoded(), Ttl: int64(resource.TTL())})
	}
	return response, nil
}
