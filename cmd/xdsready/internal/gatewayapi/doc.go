// Package gatewayapi turns objects of the Gateway API and of Kubernetes into
// Envoy resources and status conditions. It does nothing else: no client, no
// informer, no goroutine, no clock. Equal objects make equal resources.
//
//	HTTPRoute ──NewRoute──▶ Route ──Resolve──▶ Resolution ─┐
//	                                  ▲                     ├──Assemble──▶ Plan: listeners, routes, secrets,
//	Gateway ───NewGateway─▶ Gateway ──┼─────────────────────┘                    status of all
//	                                  │                                     │
//	      World: Services, grants, Secrets, Namespaces                   Backends
//	                                                                        │
//	                               EndpointSlices ──▶ Backend.Cluster, Backend.Endpoints
//
// The steps are divided by what makes them run again: NewRoute and NewGateway
// when the object changes, Resolve when what a route refers to changes, Assemble
// when any of that does, Endpoints when a pod comes or goes. So the frequent
// change is the small one.
//
// # Names
//
//	http-80, https-443      listeners of Envoy, one for each port of the Gateway
//	http-80                 route configuration of all HTTP listeners of a port
//	https-443/LISTENER      route configuration of an HTTPS listener
//	NAMESPACE/SERVICE/PORT  cluster and load assignment
//	NAMESPACE/NAME          secret
//
// # What is served
//
//   - A listener that cannot be used is left out, and the others are served. One
//     whose certificate goes bad keeps the last good one, as long as that is
//     permitted. A listener of Envoy does not depend on routes: it changes only with the
//     Gateway and with which certificates are good. It is bound to 0.0.0.0.
//   - A request is answered by the listener with the most specific hostname, and
//     by no other: 404 if that one has no route for it. On a TLS connection that
//     was made for another listener it gets 421, and clients connect anew.
//   - Among the routes of a listener, those that name the host most specifically
//     come first, then the order of the Gateway API: exact path, (regular
//     expression,) longest prefix, method, headers, query parameters, oldest
//     route, name, place in the route. What matches none of the rules for
//     www.example.com is tried with those for *.example.com.
//   - Regular expressions are RE2 and have to match the whole value. Envoy limits
//     their size, so larger ones are refused here, in the status of their route.
//
// # What is not
//
//   - Filters, timeouts, retries and session persistence are not supported. A
//     rule with one is dropped, as the Gateway API demands, and named in the
//     condition PartiallyInvalid. A request for it goes to the next rule that
//     matches it. A rule with an ExtensionRef is kept and answers 500.
//   - A backendRef that leads nowhere, or must not be followed, answers 500 for
//     its share. It names a cluster that cannot exist, and not the Service's: a
//     Service that goes is one that its routes switch away from.
//   - Client certificates, TLS options, static addresses, parameters, TLS to
//     backends: refused in status, never silently left out.
//   - An ExternalName Service leads wherever DNS says. Names and addresses of the
//     proxy itself are refused, but not a name that only DNS resolves to one: who
//     may make Services has to be trusted with what the proxies can reach.
package gatewayapi
