package xds

import (
	"errors"
	"io"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/internal/redact"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// request is a message from a proxy.
type request struct {
	publish.Request
	node *corev3.Node // only in the first one
}

// newRequest returns a message to receive into.
func (s *stream) newRequest() proto.Message {
	if s.delta {
		return &discovery.DeltaDiscoveryRequest{}
	}
	return &discovery.DiscoveryRequest{}
}

// read returns what a message says.
func (s *stream) read(m proto.Message) request {
	switch m := m.(type) {
	case *discovery.DeltaDiscoveryRequest:
		return request{publish.Request{
			TypeURL:     m.GetTypeUrl(),
			Nonce:       m.GetResponseNonce(),
			NACK:        m.GetErrorDetail() != nil,
			Error:       redact.Rejection(m.GetErrorDetail().GetMessage()),
			Names:       s.server.names.of(m.GetResourceNamesSubscribe()),
			Subscribe:   m.GetResourceNamesSubscribe(),
			Unsubscribe: m.GetResourceNamesUnsubscribe(),
			Initial:     m.GetInitialResourceVersions(),
		}, m.GetNode()}
	case *discovery.DiscoveryRequest:
		names := m.GetResourceNames()
		wildcard := slices.Contains(names, "*")
		if wildcard {
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "*" })
		}
		return request{publish.Request{
			TypeURL:  m.GetTypeUrl(),
			Nonce:    m.GetResponseNonce(),
			NACK:     m.GetErrorDetail() != nil,
			Error:    redact.Rejection(m.GetErrorDetail().GetMessage()),
			Version:  m.GetVersionInfo(),
			Names:    s.server.names.of(names),
			Wildcard: wildcard,
		}, m.GetNode()}
	}
	return request{}
}

// unreadable returns the status for a message that grpc could not deliver. What
// is wrong with the message is the proxy's fault, where grpc says Internal.
func (s *stream) unreadable(err error) error {
	switch code := status.Code(err); {
	case errors.Is(err, io.EOF):
		return err
	case code == codes.Internal && strings.Contains(err.Error(), "unmarshal"):
		return s.server.refuse(refusedMalformed, codes.InvalidArgument, "the message is no %s: %s", s.requestName(), status.Convert(err).Message())
	case code == codes.ResourceExhausted:
		return s.server.refuse(refusedTooLarge, codes.ResourceExhausted, "%s", status.Convert(err).Message())
	}
	return err
}

func (s *stream) requestName() string {
	if s.delta {
		return "DeltaDiscoveryRequest"
	}
	return "DiscoveryRequest"
}

// message makes the wire form of a response. Its resources are encoded already:
// they go into the message as fields that its Go type need not know, which
// proto.Marshal copies as they are.
func (s *stream) message(r publish.Response, e *edition) (m proto.Message, size int) {
	form := cache.SotW
	if s.delta {
		form = cache.Delta
	}
	var body []byte
	switch {
	case !r.Whole:
		body = cache.Encode(r.Resources, form)
	case len(r.Resources) == 0:
		body = e.whole(r.TypeURL, form) // shared by all proxies
	default:
		body = slices.Concat(e.whole(r.TypeURL, form), cache.Encode(r.Resources, form))
	}
	for _, alive := range r.Heartbeats {
		body = alive.AppendHeartbeatTo(slices.Clip(body), form)
	}
	if s.delta {
		m = &discovery.DeltaDiscoveryResponse{
			SystemVersionInfo: r.Version, TypeUrl: r.TypeURL, Nonce: r.Nonce, RemovedResources: r.Removed,
		}
	} else {
		m = &discovery.DiscoveryResponse{VersionInfo: r.Version, TypeUrl: r.TypeURL, Nonce: r.Nonce}
	}
	m.ProtoReflect().SetUnknown(body)
	return m, len(body)
}

// check returns the status of a request that breaks the protocol, before the
// state of the stream is asked.
func (s *stream) check(r *request) error {
	switch {
	case s.typeURL != "" && r.TypeURL == "":
		r.TypeURL = s.typeURL // a service of one type need not name it
	case s.typeURL != "" && r.TypeURL != s.typeURL:
		return s.server.refuse(refusedType, codes.InvalidArgument,
			"type_url %.200q on a stream of %s: use ADS, or a stream of its own", r.TypeURL, s.typeURL)
	case cache.Kind(r.TypeURL) == "other":
		return s.server.refuse(refusedType, codes.InvalidArgument,
			"type_url %.200q is not served here; served are %s", r.TypeURL, strings.Join(cache.AllTypes(), ", "))
	}
	return nil
}

// checkNames refuses a request of far more names than there are resources.
func (s *stream) checkNames(r request, e *edition) error {
	most := maxNames + 2*len(e.target.Snapshot().Resources(r.TypeURL))
	if n := len(r.Names.All()) + len(r.Subscribe); n > most {
		return s.server.refuse(refusedNames, codes.ResourceExhausted,
			"%d resource names in one request: at most %d are looked up (%d, and twice as many as there are)", n, most, maxNames)
	}
	return nil
}

// maxNames is how many names a request may hold beyond twice those that exist.
const maxNames = 10_000
