package gatewayapi

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// table returns the route configuration of listeners: the one of a filter chain,
// or all of a port that share it.
//
// Every hostname of a listener of the port has a virtual host, be it an empty
// one that answers 404. Otherwise a request for it would be answered by the
// routes of a listener with a wider hostname, which are not meant for it.
func (p port) table(sites ...*site) *routev3.RouteConfiguration {
	hosts := make(map[string][]*routev3.Route)
	for _, other := range p.all {
		hosts[other.hostname] = p.elsewhere(other)
	}
	for _, s := range sites {
		maps.Copy(hosts, p.virtualHosts(s))
	}
	table := &routev3.RouteConfiguration{
		Name:                     p.tableName(sites[0]),
		IgnorePortInHostMatching: true,
	}
	for _, hostname := range slices.Sorted(maps.Keys(hosts)) {
		table.VirtualHosts = append(table.VirtualHosts, &routev3.VirtualHost{
			Name:    domain(hostname),
			Domains: []string{domain(hostname)},
			Routes:  hosts[hostname],
		})
	}
	return table
}

// elsewhere answers requests for the hostname of a listener that come over a TLS
// connection made for another: a client that has taken the connection for both
// is told to make one of its own.
func (p port) elsewhere(s *site) []*routev3.Route {
	if !p.secure || !s.usable {
		return nil
	}
	return []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: answer(http.StatusMisdirectedRequest),
	}}
}

// virtualHosts returns the routes of each hostname that is answered by the
// listener's own routes.
func (p port) virtualHosts(s *site) map[string][]*routev3.Route {
	attached := map[string][]candidate{s.hostname: nil}
	for _, r := range s.routes {
		for _, h := range r.hosts {
			if !p.belongsToOther(s, h.domain) {
				attached[h.domain] = append(attached[h.domain], candidate{r.Resolution, h.named})
			}
		}
	}
	hosts := make(map[string][]*routev3.Route, len(attached))
	for hostname := range attached {
		var candidates []candidate
		for _, wide := range widening(hostname) {
			candidates = append(candidates, attached[wide]...)
		}
		hosts[hostname] = inOrder(candidates)
	}
	return hosts
}

// belongsToOther reports whether all requests for the hostname are of another
// listener of the port, whose hostname is narrower than that of s.
func (p port) belongsToOther(s *site, hostname string) bool {
	return slices.ContainsFunc(p.all, func(o *site) bool {
		return o.hostname != s.hostname && covers(s.hostname, o.hostname) && covers(o.hostname, hostname)
	})
}

// candidate is a route that answers for a hostname because it names one that
// covers it.
type candidate struct {
	*Resolution
	named string
}

// inOrder returns the matches of all candidates in the order in which Envoy has
// to try them: those of the most specific hostname first, then by rank. Routes
// of equal rank keep the order of the candidates, which attach has sorted.
func inOrder(candidates []candidate) []*routev3.Route {
	type line struct {
		entry
		named string
	}
	var lines []line
	for _, c := range candidates {
		for _, e := range c.entries {
			lines = append(lines, line{e, c.named})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(compareHosts(a.named, b.named), a.rank.compare(b.rank))
	})
	var routes []*routev3.Route
	seen := make(map[*routev3.Route]bool, len(lines)) // a route may name two hostnames that cover this one
	for _, l := range lines {
		if !seen[l.envoy] {
			seen[l.envoy] = true
			routes = append(routes, l.envoy)
		}
		if l.rank.everything() {
			break // no request gets past it
		}
	}
	return routes
}
