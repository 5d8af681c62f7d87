package xds

import (
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
		names := s.server.names.of(m.GetResourceNamesSubscribe())
		return request{publish.Request{
			TypeURL:     m.GetTypeUrl(),
			Nonce:       m.GetResponseNonce(),
			NACK:        m.GetErrorDetail() != nil,
			Error:       redact.Rejection(m.GetErrorDetail().GetMessage()),
			Names:       names,
			Subscribe:   names.All(),
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

// unreadable counts a message that grpc could not deliver. The status is grpc's
// own, which the proxy has by now: INTERNAL for one that is malformed,
// RESOURCE_EXHAUSTED for one that is too large.
func (s *stream) unreadable(err error) error {
	switch code := status.Code(err); {
	case code == codes.Internal && strings.Contains(err.Error(), "unmarshal"):
		s.server.metrics.refused.WithLabelValues(refusedMalformed).Inc()
	case code == codes.ResourceExhausted:
		s.server.metrics.refused.WithLabelValues(refusedTooLarge).Inc()
	}
	return err
}

// message returns a response as it is sent, and the size of its resources, which
// are encoded already.
func (s *stream) message(r publish.Response, e *edition) (m proto.Message, size int) {
	form := cache.SotW
	if s.delta {
		form = cache.Delta
	}
	pieces := e.pieces(r, form)
	for _, piece := range pieces {
		size += len(piece)
	}
	if s.delta {
		head := &discovery.DeltaDiscoveryResponse{
			SystemVersionInfo: r.Version, TypeUrl: r.TypeURL, Nonce: r.Nonce, RemovedResources: r.Removed,
		}
		if s.inPieces {
			return deltaInPieces{head, pieces}, size
		}
		return joined(head, pieces), size
	}
	head := &discovery.DiscoveryResponse{VersionInfo: r.Version, TypeUrl: r.TypeURL, Nonce: r.Nonce}
	if s.inPieces {
		return sotwInPieces{head, pieces}, size
	}
	return joined(head, pieces), size
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

// checkNames refuses a request after which the proxy would ask for far more names
// than there are resources.
func (s *stream) checkNames(r request) error {
	most := maxNames + 2*len(s.edition.target.Snapshot().Resources(r.TypeURL))
	n := len(r.Names.All())
	if s.delta && n > 0 {
		n += s.machine.Names(r.TypeURL) // a delta request adds to those before
	}
	if n > most {
		return s.server.refuse(refusedNames, codes.ResourceExhausted,
			"%d resource names: at most %d are looked up (%d, and twice as many as there are)", n, most, maxNames)
	}
	return nil
}

// maxNames is how many names of a type a proxy may ask for beyond twice those that
// exist.
const maxNames = 10_000
