package xds_test

import (
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// script is the bytes that say what a client does.
type script []byte

// take returns the next byte as a number below n; 0 at the end.
func (s *script) take(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % n
}

// pick returns one of a few values.
func pick[T any](s *script, values ...T) T { return values[s.take(len(values))] }

// names returns up to three names, of which some exist.
func (s *script) names() []string {
	var list []string
	for range s.take(4) {
		list = append(list, pick(s, "a", "b", "c", "table", "absent", "*", ""))
	}
	return list
}

// typeURL is mostly one that is served.
func (s *script) typeURL() string {
	types := append(cache.AllTypes(), cache.AllTypes()...)
	return pick(s, append(types, "", "type.googleapis.com/Other")...)
}

// snapshot is one of a few configs, in which clusters and routes change.
func (s *script) snapshot() []proto.Message {
	cluster := pick(s, "a", "b", "c")
	return []proto.Message{
		edsCluster(cluster), endpointsAt(cluster, uint32(s.take(3))), //nolint:gosec // below 3
		routesTo(cluster), listener("a"), secret("b"), scopedRoute("c", "table"),
	}
}

// FuzzStream lets a client say anything, well formed, that a SotW or delta stream
// may carry, while the config changes and time passes. The server never panics,
// its answers can be parsed, it ends a stream only for what the client did, and
// serves the next one.
func FuzzStream(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte{}, true)
	for seed := range byte(20) {
		bytes := make([]byte, 200)
		for i := range bytes {
			bytes[i] = byte(i)*(2*seed+1) + seed
		}
		f.Add(bytes, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, bytes []byte, delta bool) {
		s := script(bytes)
		synctest.Test(t, func(t *testing.T) {
			r := newServer(t, nil, xds.Options{RemovalDelay: time.Second})
			r.set(t, xds.AllGroup, s.snapshot()...)
			typeURL := pick(&s, "", "", resourcev3.ClusterType, resourcev3.EndpointType)
			if delta {
				p := r.deltaPipe(t, typeURL)
				play(t, &s, r, p, s.deltaRequest, func(m *discovery.DeltaDiscoveryResponse) { deltaResources(t, m) })
			} else {
				p := r.sotwPipe(t, typeURL)
				play(t, &s, r, p, s.sotwRequest, func(m *discovery.DiscoveryResponse) { resources(t, m) })
			}
			next := r.sotwPipe(t, "")
			send(t, next, &discovery.DiscoveryRequest{Node: node("next", ""), TypeUrl: resourcev3.ListenerType})
			want(t, "the next stream", receive(t, next), "a")
		})
	})
}

// play does what the script says, and reads what comes.
func play[Q proto.Message, R proto.Message](t *testing.T, s *script, r *rig, p *pipe[Q, R], request func(first bool, last R) Q, check func(R)) {
	t.Helper()
	var last R
	for first := true; first || len(*s) > 0; first = false {
		if p.Send(request(first, last)) != nil {
			break
		}
		for range s.take(4) {
			select {
			case m := <-p.responses:
				parsed, err := overTheWire[R](m)
				if err != nil {
					t.Fatal(err)
				}
				last = parsed
				check(last)
			case <-p.ended:
			case <-time.After(pick(s, time.Millisecond, time.Second, time.Minute)):
			}
		}
		if s.take(4) == 0 {
			r.set(t, xds.AllGroup, s.snapshot()...)
			synctest.Wait()
		}
	}
	select {
	case <-p.ended:
		if code := status.Code(p.err); code != codes.InvalidArgument && code != codes.Unavailable {
			t.Errorf("the stream ended with %v", p.err)
		}
	default:
	}
}

// node is one with an id, nearly always, in a first request.
func (s *script) node(first bool) (id string) {
	if first && s.take(20) != 19 {
		return "fuzz"
	}
	return ""
}

func (s *script) sotwRequest(first bool, last *discovery.DiscoveryResponse) *discovery.DiscoveryRequest {
	q := &discovery.DiscoveryRequest{Node: node(s.node(first), ""), TypeUrl: s.typeURL(), ResourceNames: s.names()}
	if first {
		return q
	}
	switch s.take(5) {
	case 0, 1: // an ACK
		q.TypeUrl, q.ResponseNonce, q.VersionInfo = last.GetTypeUrl(), last.GetNonce(), last.GetVersionInfo()
	case 2:
		q.TypeUrl, q.ResponseNonce = last.GetTypeUrl(), last.GetNonce()
		q.ErrorDetail = nack(nil, "", pick(s, "no", "Error adding/updating cluster(s) a: no", "malformed")).GetErrorDetail()
	case 3:
		q.ResponseNonce, q.VersionInfo = pick(s, "", "1", "2", "99", "x"), pick(s, "", "x", last.GetVersionInfo())
	}
	return q
}

func (s *script) deltaRequest(first bool, last *discovery.DeltaDiscoveryResponse) *discovery.DeltaDiscoveryRequest {
	q := &discovery.DeltaDiscoveryRequest{
		Node: node(s.node(first), ""), TypeUrl: s.typeURL(), ResourceNamesSubscribe: s.names(), ResourceNamesUnsubscribe: s.names(),
	}
	if first {
		return q
	}
	switch s.take(5) {
	case 0, 1:
		q.TypeUrl, q.ResponseNonce = last.GetTypeUrl(), last.GetNonce()
	case 2:
		q.TypeUrl, q.ResponseNonce = last.GetTypeUrl(), last.GetNonce()
		q.ErrorDetail = nack(nil, "", pick(s, "no", "Error adding/updating cluster(s) a: no", "malformed")).GetErrorDetail()
	case 3:
		q.ResponseNonce = pick(s, "", "1", "2", "99", "x")
		q.InitialResourceVersions = map[string]string{}
		for _, name := range s.names() {
			q.InitialResourceVersions[name] = pick(s, "", "x", "00112233445566778899aabbccddeeff")
		}
	}
	return q
}
