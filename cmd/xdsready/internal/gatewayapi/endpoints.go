package gatewayapi

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/xdsready/xdsready/pkg/cache"
)

// endpoint is one address of a backend.
type endpoint struct {
	address netip.Addr
	port    int32
	zone    string
}

func (e endpoint) compare(o endpoint) int {
	return cmp.Or(cmp.Compare(e.zone, o.zone), e.address.Compare(o.address), cmp.Compare(e.port, o.port))
}

// Endpoints returns the load assignment of the port, in an order that depends on
// content alone, and what of the slices cannot be used. The slices are those of
// the Service, in any order. It is not for an ExternalName Service.
//
// Ready endpoints are taken. When there are none, those that still serve while
// they terminate are, as kube-proxy does: better late answers than none.
func (b Backend) Endpoints(all []*discoveryv1.EndpointSlice) (r cache.Resource, problems []string, err error) {
	ready, leaving, problems := b.collect(all)
	if len(ready) == 0 {
		ready = leaving
	}
	r, err = cache.OwnResource(&endpointv3.ClusterLoadAssignment{ClusterName: b.Name(), Endpoints: localities(ready)})
	return r, problems, err
}

// collect sorts the usable endpoints into those that are ready and those that
// serve while they terminate. An address that moves from one slice to another
// may be in both for a while.
func (b Backend) collect(all []*discoveryv1.EndpointSlice) (ready, leaving []endpoint, problems []string) {
	name := valueOr(b.port(), corev1.ServicePort{}).Name
	for _, slice := range sortedSlices(all) {
		port, err := slicePort(slice, name)
		if err != nil {
			problems = append(problems, fmt.Sprintf("EndpointSlice %s: %v", slice.Name, err))
			continue
		}
		for _, from := range slice.Endpoints {
			isReady := valueOr(from.Conditions.Ready, true)
			isLeaving := valueOr(from.Conditions.Serving, false) && valueOr(from.Conditions.Terminating, false)
			if !isReady && !isLeaving {
				continue
			}
			address, err := endpointAddress(from)
			if err != nil {
				problems = append(problems, fmt.Sprintf("EndpointSlice %s: %v", slice.Name, err))
				continue
			}
			e := endpoint{address: address, port: port, zone: valueOr(from.Zone, "")}
			if isReady {
				ready = append(ready, e)
			} else {
				leaving = append(leaving, e)
			}
		}
	}
	return unique(ready), unique(leaving), problems
}

func sortedSlices(all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	return slices.SortedFunc(slices.Values(all), func(a, b *discoveryv1.EndpointSlice) int {
		return cmp.Compare(a.Name, b.Name)
	})
}

// slicePort returns the number that a slice gives to the port of that name.
func slicePort(slice *discoveryv1.EndpointSlice, name string) (int32, error) {
	if slice.AddressType != discoveryv1.AddressTypeIPv4 && slice.AddressType != discoveryv1.AddressTypeIPv6 {
		return 0, fmt.Errorf("address type %s is not supported", slice.AddressType)
	}
	for _, p := range slice.Ports {
		number := valueOr(p.Port, 0)
		if valueOr(p.Name, "") == name && isTCP(valueOr(p.Protocol, "")) && 0 < number && number <= math.MaxUint16 {
			return number, nil
		}
	}
	if len(slice.Endpoints) == 0 {
		return 0, nil // a Service without pods has slices without ports
	}
	return 0, fmt.Errorf("no number for the TCP port %q", name)
}

// endpointAddress returns the first address: the others are of the same pod.
func endpointAddress(from discoveryv1.Endpoint) (netip.Addr, error) {
	if len(from.Addresses) == 0 {
		return netip.Addr{}, errors.New("an endpoint has no address")
	}
	address, err := netip.ParseAddr(from.Addresses[0])
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address %q is no IP address", from.Addresses[0])
	}
	return address, checkAddress(address)
}

// unique orders endpoints and removes addresses that are there twice. Of two
// zones that one address is given the first in order stays.
func unique(all []endpoint) []endpoint {
	seen := make(map[netip.AddrPort]endpoint, len(all))
	for _, e := range all {
		key := netip.AddrPortFrom(e.address, uint16(e.port))
		if other, ok := seen[key]; !ok || e.compare(other) < 0 {
			seen[key] = e
		}
	}
	return slices.SortedFunc(maps.Values(seen), endpoint.compare)
}

// localities makes a locality of each zone and weighs it by its number of
// endpoints, so that every endpoint gets the same share.
func localities(sorted []endpoint) []*endpointv3.LocalityLbEndpoints {
	var zones []*endpointv3.LocalityLbEndpoints
	for i, e := range sorted {
		if i == 0 || sorted[i-1].zone != e.zone {
			zones = append(zones, &endpointv3.LocalityLbEndpoints{
				Locality:            &corev3.Locality{Zone: e.zone},
				LoadBalancingWeight: wrapperspb.UInt32(0),
			})
		}
		zone := zones[len(zones)-1]
		added := lbEndpoint(e.address.String(), e.port)
		added.HealthStatus = corev3.HealthStatus_HEALTHY
		zone.LbEndpoints = append(zone.LbEndpoints, added)
		zone.LoadBalancingWeight.Value++
	}
	return zones
}

func lbEndpoint(host string, port int32) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socketAddress(host, port)}},
	}
}
