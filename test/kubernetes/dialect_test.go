package kubernetes

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
)

// delta is the incremental variant.
type delta struct {
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node   *corev3.Node        // nil once it has been sent
	asked  map[string][]string // by type, from the first subscription on
	cold   []string            // nonces of clusters, to be ACKed once all are warm
}

func (d *delta) subscribe(typeURL string, names []string) error {
	before, again := d.asked[typeURL]
	request := &discovery.DeltaDiscoveryRequest{
		Node: d.node, TypeUrl: typeURL,
		ResourceNamesSubscribe: without(names, before), ResourceNamesUnsubscribe: without(before, names),
	}
	if nothing := len(request.ResourceNamesSubscribe)+len(request.ResourceNamesUnsubscribe) == 0; nothing &&
		(again || !slices.Contains(whole, typeURL)) {
		return nil
	}
	d.node, d.asked[typeURL] = nil, names
	return d.stream.Send(request)
}

func (d *delta) receive(apply func(func(view) error) error) error {
	response, err := d.stream.Recv()
	if err != nil {
		return err
	}
	typeURL, warm := response.GetTypeUrl(), false
	err = apply(func(v view) error {
		for _, name := range response.GetRemovedResources() {
			delete(v[typeURL], name)
		}
		for _, r := range response.GetResources() {
			if err := v.set(typeURL, r.GetResource()); err != nil {
				return err
			}
		}
		v.forget()
		warm = v.warm()
		return nil
	})
	if err != nil {
		return err
	}
	if typeURL == resourcev3.ClusterType {
		d.cold = append(d.cold, response.GetNonce())
	} else if err := d.acknowledge(typeURL, response.GetNonce()); err != nil {
		return err
	}
	for warm && len(d.cold) > 0 {
		if err := d.acknowledge(resourcev3.ClusterType, d.cold[0]); err != nil {
			return err
		}
		d.cold = d.cold[1:]
	}
	return nil
}

func (d *delta) acknowledge(typeURL, nonce string) error {
	return d.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResponseNonce: nonce})
}

// sotw is the variant in which a response has all resources of its type, or
// those of the named types that have changed.
type sotw struct {
	stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node   *corev3.Node
	asked  map[string][]string
	last   map[string]*discovery.DiscoveryResponse // by type
	cold   bool                                    // the clusters are to be ACKed once all are warm
}

func (s *sotw) subscribe(typeURL string, names []string) error {
	if before, again := s.asked[typeURL]; slices.Equal(before, names) && (again || len(names) == 0) && !slices.Contains(whole, typeURL) {
		return nil
	}
	s.asked[typeURL] = names
	return s.request(typeURL)
}

// request asks for what is subscribed, which ACKs the last response.
func (s *sotw) request(typeURL string) error {
	node := s.node
	s.node = nil
	return s.stream.Send(&discovery.DiscoveryRequest{
		Node: node, TypeUrl: typeURL, ResourceNames: s.asked[typeURL],
		VersionInfo: s.last[typeURL].GetVersionInfo(), ResponseNonce: s.last[typeURL].GetNonce(),
	})
}

func (s *sotw) receive(apply func(func(view) error) error) error {
	response, err := s.stream.Recv()
	if err != nil {
		return err
	}
	typeURL, warm := response.GetTypeUrl(), false
	err = apply(func(v view) error {
		if slices.Contains(whole, typeURL) {
			v[typeURL] = map[string]proto.Message{}
		}
		for _, r := range response.GetResources() {
			if err := v.set(typeURL, r); err != nil {
				return err
			}
		}
		v.forget()
		warm = v.warm()
		return nil
	})
	if err != nil {
		return err
	}
	s.last[typeURL] = response
	if typeURL == resourcev3.ClusterType {
		s.cold = true
	} else if err := s.request(typeURL); err != nil {
		return err
	}
	if warm && s.cold {
		s.cold = false
		return s.request(resourcev3.ClusterType)
	}
	return nil
}

// warm reports whether all clusters have what they need to serve. Envoy ACKs
// clusters when they are.
func (v view) warm() bool {
	return len(without(v.wanted(resourcev3.EndpointType), sorted(v[resourcev3.EndpointType]))) == 0
}

// forget drops what nothing in the view names any more, as proxies do.
func (v view) forget() {
	for _, typeURL := range named {
		for _, name := range without(sorted(v[typeURL]), v.wanted(typeURL)) {
			delete(v[typeURL], name)
		}
	}
}

// without returns the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}
