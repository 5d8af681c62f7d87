package kubernetes

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
)

// delta is the incremental variant.
type delta struct {
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node   *corev3.Node        // nil once it has been sent
	asked  map[string][]string // by type, from the first subscription on
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
	typeURL := response.GetTypeUrl()
	err = apply(func(v view) error {
		for _, name := range response.GetRemovedResources() {
			delete(v[typeURL], name)
		}
		for _, r := range response.GetResources() {
			if _, err := v.set(typeURL, r.GetResource()); err != nil {
				return err
			}
		}
		v.forget()
		return nil
	})
	if err != nil {
		return err
	}
	return d.stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: typeURL, ResponseNonce: response.GetNonce()})
}

// sotw is the variant in which a response has all resources of its type, or
// those of the named types that have changed.
type sotw struct {
	stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node   *corev3.Node
	asked  map[string][]string
	last   map[string]*discovery.DiscoveryResponse // by type
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
	typeURL := response.GetTypeUrl()
	err = apply(func(v view) error {
		if slices.Contains(whole, typeURL) {
			v[typeURL] = map[string]proto.Message{}
		}
		for _, r := range response.GetResources() {
			if _, err := v.set(typeURL, r); err != nil {
				return err
			}
		}
		v.forget()
		return nil
	})
	if err != nil {
		return err
	}
	s.last[typeURL] = response
	return s.request(typeURL)
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
