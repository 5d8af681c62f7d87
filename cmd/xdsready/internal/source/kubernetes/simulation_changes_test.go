package kubernetes

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// change changes the cluster.
func (s *simulation) change() {
	in := s.source.inputs
	switch s.random.IntN(10) {
	case 0, 1, 2:
		s.changeRoute(in.routes)
	case 3, 4, 5:
		s.changeService(in.services, pick(s, someServices))
	case 6, 7:
		s.changeSlice(in.slices, pick(s, someServices))
	case 8:
		if s.live.get(kindGrant, theGrant) == nil {
			s.log("grant")
			put(s.live, in.grants, kindGrant, newGrant())
		} else if s.random.IntN(2) == 0 {
			s.log("no grant")
			remove(s.live, in.grants, kindGrant, newGrant())
		}
	case 9:
		g := newGateway(pick(s, someGateways), int32(80+s.random.IntN(2)))
		if s.live.get(kindGateway, keyOf(g)) != nil && s.random.IntN(3) == 0 {
			s.log("no Gateway %s", g.Name)
			remove(s.live, in.gateways, kindGateway, g)
			return
		}
		s.log("Gateway %s", g.Name)
		put(s.live, in.gateways, kindGateway, g)
	}
}

func (s *simulation) changeRoute(in *input[*gatewayv1.HTTPRoute]) {
	tag := len(s.routes)
	var targets []target
	for range 1 + s.random.IntN(3) {
		targets = append(targets, target{pick(s, someServices), int32(80 + s.random.IntN(2))})
	}
	r := newRoute(pick(s, someRoutes), pick(s, someGateways), tag, targets...)
	if s.live.get(kindRoute, keyOf(r)) != nil && s.random.IntN(5) == 0 {
		s.log("no route %s", r.Name)
		remove(s.live, in, kindRoute, r)
		return
	}
	s.routes[tag] = routeVersion{put(s.live, in, kindRoute, r), targets}
	s.log("route %s (tag %d) of %s to %v", r.Name, tag, r.Spec.ParentRefs[0].Name, targets)
}

func (s *simulation) changeService(in *input[*corev1.Service], key types.NamespacedName) {
	service := newService(key, 80)
	if s.random.IntN(2) == 0 {
		service = newService(key, 80, 81)
	}
	if s.live.get(kindService, key) != nil && s.random.IntN(3) == 0 {
		s.log("no Service %s", key)
		remove(s.live, in, kindService, service)
		return
	}
	s.log("Service %s with %d ports", key, len(service.Spec.Ports))
	put(s.live, in, kindService, service)
}

func (s *simulation) changeSlice(in *input[*discoveryv1.EndpointSlice], key types.NamespacedName) {
	slice := newSlice(key, fmt.Sprintf("10.0.%d.%d", s.random.IntN(250), s.random.IntN(250)))
	if s.random.IntN(4) == 0 {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{badAddress}})
	}
	if s.live.get(kindSlice, key) != nil && s.random.IntN(4) == 0 {
		s.log("no slice %s", key)
		s.gapAt[key] = time.Now()
		remove(s.live, in, kindSlice, slice)
		return
	}
	s.log("slice %s %s, %d endpoints", key, slice.Endpoints[0].Addresses, len(slice.Endpoints))
	put(s.live, in, kindSlice, slice)
}
