package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// port is what is served on one port: a listener of Envoy.
type port struct {
	number int32
	secure bool
	all    []*site // that share the port, usable or not
	usable []*site // one at least; all of one protocol, each of another hostname
}

// ports returns the ports on which anything is served, in order.
func (a *assembly) ports() []port {
	byNumber := make(map[gatewayv1.PortNumber]*port)
	for _, s := range a.sites {
		if !s.usable {
			continue
		}
		p, ok := byNumber[s.spec.Port]
		if !ok {
			p = &port{number: s.spec.Port, secure: s.secure()}
			byNumber[s.spec.Port] = p
		}
		p.usable = append(p.usable, s)
	}
	var ports []port
	for _, p := range byNumber {
		for _, s := range a.sites {
			if s.sharesPort(p.usable[0].listener) {
				p.all = append(p.all, s)
			}
		}
		ports = append(ports, *p)
	}
	slices.SortFunc(ports, func(x, y port) int { return cmp.Compare(x.number, y.number) })
	return ports
}

// name names the listener of Envoy.
func (p port) name() string {
	if p.secure {
		return fmt.Sprintf("https-%d", p.number)
	}
	return fmt.Sprintf("http-%d", p.number)
}

// tableName names the route configuration of a listener. Those for HTTP share
// one, because the hostname is first seen in the request.
func (p port) tableName(s *site) string {
	if p.secure {
		return p.name() + "/" + string(s.spec.Name)
	}
	return p.name()
}

// tables returns the route configurations of the port.
func (p port) tables() []*routev3.RouteConfiguration {
	if !p.secure {
		return []*routev3.RouteConfiguration{p.table(p.usable...)}
	}
	var tables []*routev3.RouteConfiguration
	for _, s := range p.usable {
		tables = append(tables, p.table(s))
	}
	return tables
}

// listener returns the listener of Envoy. It depends on the Gateway and on which
// certificates are good, never on routes: a change of it is a new listener to
// Envoy, and drains connections.
func (p port) listener() (*listenerv3.Listener, error) {
	l := &listenerv3.Listener{
		Name:                          p.name(),
		Address:                       socketAddress("0.0.0.0", p.number),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
	}
	if p.secure {
		if err := addTLSInspector(l); err != nil {
			return nil, err
		}
	}
	sites := p.usable
	if !p.secure {
		sites = p.usable[:1] // they share the connection manager
	}
	for _, s := range slices.SortedFunc(slices.Values(sites), compareSites) {
		chain, err := p.filterChain(s)
		if err != nil {
			return nil, err
		}
		l.FilterChains = append(l.FilterChains, chain)
	}
	return l, nil
}

func compareSites(a, b *site) int { return strings.Compare(string(a.spec.Name), string(b.spec.Name)) }
