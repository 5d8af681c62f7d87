package main

import (
	"strconv"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// packer encodes resources for plain servers, each once.
type packer struct {
	delta  bool
	packed map[proto.Message]*discoveryv3.Resource
}

func newPacker(isDelta bool) *packer {
	return &packer{delta: isDelta, packed: map[proto.Message]*discoveryv3.Resource{}}
}

type packedResources []*discoveryv3.Resource

// packedEdition is an edition with each resource encoded.
type packedEdition struct {
	version string
	groups  map[string]map[string]packedResources // by group, by type URL
	changed *discoveryv3.Resource                 // the one that differs from the edition before; nil in the first
}

func (p *packer) pack(e edition) (packedEdition, error) {
	packed := packedEdition{version: strconv.Itoa(e.number), groups: map[string]map[string]packedResources{}}
	for group, config := range e.configs {
		packed.groups[group] = map[string]packedResources{}
		for typeURL, messages := range config {
			for _, message := range messages {
				resource, err := p.one(message, packed.version)
				if err != nil {
					return packedEdition{}, err
				}
				packed.groups[group][typeURL] = append(packed.groups[group][typeURL], resource)
			}
		}
	}
	packed.changed = p.packed[e.changed]
	return packed, nil
}

// one encodes a resource, unless it has been.
func (p *packer) one(message proto.Message, version string) (*discoveryv3.Resource, error) {
	if resource, ok := p.packed[message]; ok {
		return resource, nil
	}
	encoded, err := anypb.New(message)
	if err != nil {
		return nil, err
	}
	resource := &discoveryv3.Resource{Name: cachev3.GetResourceName(message), Version: version, Resource: encoded}
	p.packed[message] = resource
	return resource, nil
}

// change makes the response for proxies that have the edition before. It is one
// load assignment in SotW as well: a proxy keeps those that a response leaves out.
func (p *packer) change(e packedEdition) proto.Message {
	if e.changed == nil {
		return nil // nobody has an edition before the first
	}
	return p.response(e.version, resourcev3.EndpointType, packedResources{e.changed})
}

// response makes a response that shares the encoded resources.
func (p *packer) response(version, typeURL string, resources packedResources) proto.Message {
	if p.delta {
		return &discoveryv3.DeltaDiscoveryResponse{
			SystemVersionInfo: version, TypeUrl: typeURL, Nonce: version, Resources: resources,
		}
	}
	r := &discoveryv3.DiscoveryResponse{VersionInfo: version, TypeUrl: typeURL, Nonce: version}
	for _, resource := range resources {
		r.Resources = append(r.Resources, resource.GetResource())
	}
	return r
}
