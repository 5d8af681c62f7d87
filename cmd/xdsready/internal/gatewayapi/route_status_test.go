package gatewayapi

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// grantPay lets HTTPRoutes of shop refer to bank/pay.
const grantPay = `
kind: ReferenceGrant
metadata: {namespace: bank, name: pay}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: "", kind: Service, name: pay}]
`

// TestRouteStatus: each fault of a route has the condition and the reason that
// the Gateway API gives it.
func TestRouteStatus(t *testing.T) {
	for name, test := range map[string]struct {
		gateway string // httpGateway if empty
		more    string // manifests
		spec    string
		want    []string
	}{
		"good": {
			spec: `rules: [{backendRefs: [{name: cart, port: 80}]}]`,
		},
		"other kinds of parents are not ours": {
			spec: `
parentRefs: [{name: web}, {name: web, kind: Service, group: ""}, {name: web, group: example.com}, {name: web, namespace: bank}]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
		},
		"no such section": {
			spec: `
parentRefs: [{name: web, sectionName: other}]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NoMatchingParent: the Gateway has no listener of this sectionName and port"},
		},
		"no such port": {
			spec: `
parentRefs: [{name: web, port: 81}]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NoMatchingParent: the Gateway has no listener of this sectionName and port"},
		},
		"each parentRef is judged alone": {
			spec: `
parentRefs: [{name: web, sectionName: http}, {name: web, sectionName: http, port: 81}]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NoMatchingParent: the Gateway has no listener of this sectionName and port"},
		},
		"namespace not selected": {
			gateway: gatewayManifest(`
listeners:
- name: http
  port: 80
  protocol: HTTP
  allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {routes: "yes"}}}}`),
			more: `
kind: Namespace
metadata: {name: shop, labels: {routes: "no"}}`,
			spec: `rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NotAllowedByListeners: no listener takes HTTPRoutes from namespace shop"},
		},
		"namespace selected": {
			gateway: gatewayManifest(`
listeners:
- name: http
  port: 80
  protocol: HTTP
  allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {routes: "yes"}}}}`),
			more: `
kind: Namespace
metadata: {name: shop, labels: {routes: "yes"}}`,
			spec: `rules: [{backendRefs: [{name: cart, port: 80}]}]`,
		},
		"namespaces that nobody can select": {
			gateway: gatewayManifest(`listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Near}}}]`),
			spec:    `rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want:    []string{"Accepted False NotAllowedByListeners: no listener takes HTTPRoutes from namespace shop"},
		},
		"kind not allowed": {
			gateway: gatewayManifest(`
listeners:
- name: http
  port: 80
  protocol: HTTP
  allowedRoutes: {kinds: [{kind: GRPCRoute}]}`),
			spec: `rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NotAllowedByListeners: no listener takes HTTPRoutes from namespace shop"},
		},
		"hostname of no listener": {
			gateway: gatewayManifest(`listeners: [{name: http, port: 80, protocol: HTTP, hostname: "*.example.com"}]`),
			spec: `
hostnames: [example.com, www.example.org]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{"Accepted False NoMatchingListenerHostname: no listener has a hostname that one of the route's is within, or covers"},
		},
		"hostname that is none": {
			spec: `
hostnames: [www.example.com, 10.0.0.1]
rules: [{backendRefs: [{name: cart, port: 80}]}]`,
			want: []string{`Accepted False UnsupportedValue: hostname "10.0.0.1": an IP address is no hostname`},
		},
		"no rule can be used": {
			spec: `rules: [{filters: [{type: RequestRedirect, requestRedirect: {port: 1}}]}]`,
			want: []string{"Accepted False UnsupportedValue: No rule can be used: Dropped Rule 0: filter RequestRedirect: not supported"},
		},
		"some rules are dropped": {
			spec: `
rules:
- filters: [{type: URLRewrite, urlRewrite: {hostname: a.example}}]
- backendRefs: [{name: cart, port: 80}]
- timeouts: {request: 1s}
- retry: {attempts: 1}
- sessionPersistence: {sessionName: a}
- backendRefs: [{name: cart, port: 80, filters: [{type: CORS, cors: {}}]}]
- matches: [{path: {type: RegularExpression, value: "/("}}]
- matches: [{path: {type: Suffix, value: "/"}}]
- matches: [{path: {value: "a"}}]
- matches: [{}, {method: CONNECT}]
- matches: [{headers: [{name: X, type: Glob, value: a}]}]
- matches: [{queryParams: [{name: q, type: RegularExpression, value: "["}]}]`,
			want: []string{"PartiallyInvalid True UnsupportedValue: " +
				"Dropped Rule 0: filter URLRewrite: not supported; " +
				"Dropped Rule 2: timeouts: not supported; " +
				"Dropped Rule 3: retry: not supported; " +
				"Dropped Rule 4: sessionPersistence: not supported; " +
				"Dropped Rule 5: filter CORS of a backendRef: not supported; " +
				"Dropped Rule 6: match 0: error parsing regexp: missing closing ): `/(` (the syntax is RE2); " +
				`Dropped Rule 7: match 0: path match type "Suffix": use Exact, PathPrefix or RegularExpression; ` +
				`Dropped Rule 8: match 0: path "a": a path begins with / and has no //, ? or #; ` +
				`Dropped Rule 9: match 1: method "CONNECT" is not supported; ` +
				`Dropped Rule 10: match 0: header x: match type "Glob": use Exact or RegularExpression; ` +
				"and 1 more"},
		},
		"extensions": {
			spec: `
rules:
- filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: Auth, name: all}}]
  backendRefs: [{name: cart, port: 80}]
- backendRefs: [{name: cart, port: 80, filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: Auth, name: one}}]}]`,
			want: []string{"ResolvedRefs False InvalidKind: rule 0: filter ExtensionRef to Auth.example.com all: no extension is supported; " +
				"rule 1, backendRef 0: filter ExtensionRef to Auth.example.com one: no extension is supported"},
		},
		"kind of backend": {
			spec: `rules: [{backendRefs: [{group: example.com, kind: Bucket, name: a}, {kind: ConfigMap, name: b}]}]`,
			want: []string{"ResolvedRefs False InvalidKind: rule 0, backendRef 0: Bucket.example.com a: a backend is a Service; " +
				"rule 0, backendRef 1: ConfigMap b: a backend is a Service"},
		},
		"no such Service": {
			spec: `rules: [{backendRefs: [{name: none, port: 80}]}]`,
			want: []string{"ResolvedRefs False BackendNotFound: rule 0, backendRef 0: Service shop/none does not exist"},
		},
		"no such port of the Service": {
			spec: `rules: [{backendRefs: [{name: cart, port: 53}]}]`,
			want: []string{"ResolvedRefs False BackendNotFound: rule 0, backendRef 0: Service shop/cart has no TCP port 53: it has 80, 9000"},
		},
		"Service without ports": {
			more: `
kind: Service
metadata: {namespace: shop, name: bare}
spec: {clusterIP: None}`,
			spec: `rules: [{backendRefs: [{name: bare, port: 80}]}]`,
			want: []string{"ResolvedRefs False BackendNotFound: rule 0, backendRef 0: Service shop/bare has no TCP port 80: it has none"},
		},
		"no port in the reference": {
			spec: `rules: [{backendRefs: [{name: cart}]}]`,
			want: []string{"ResolvedRefs False BackendNotFound: rule 0, backendRef 0: Service shop/cart: the reference has no port"},
		},
		"cross-namespace without grant": {
			spec: `rules: [{backendRefs: [{name: pay, namespace: bank, port: 80}]}]`,
			want: []string{"ResolvedRefs False RefNotPermitted: rule 0, backendRef 0: " +
				"no ReferenceGrant in namespace bank lets HTTPRoutes of namespace shop refer to Service bank/pay"},
		},
		"a Service that is not granted is not told of": {
			spec: `rules: [{backendRefs: [{name: none, namespace: bank, port: 80}]}]`,
			want: []string{"ResolvedRefs False RefNotPermitted: rule 0, backendRef 0: " +
				"no ReferenceGrant in namespace bank lets HTTPRoutes of namespace shop refer to Service bank/none"},
		},
		"cross-namespace with grant": {
			more: grantPay,
			spec: `rules: [{backendRefs: [{name: pay, namespace: bank, port: 80}]}]`,
		},
		"TLS to the backend": {
			more: `
kind: Service
metadata: {namespace: shop, name: tls}
spec: {ports: [{port: 443, appProtocol: https}]}`,
			spec: `rules: [{backendRefs: [{name: tls, port: 443}]}]`,
			want: []string{"ResolvedRefs False UnsupportedProtocol: rule 0, backendRef 0: " +
				"Service shop/tls: appProtocol https of port 443 needs TLS to the backend"},
		},
		"ExternalName that leads to the proxy": {
			more: `
kind: Service
metadata: {namespace: shop, name: self}
spec: {type: ExternalName, externalName: localhost}`,
			spec: `rules: [{backendRefs: [{name: self, port: 9901}]}]`,
			want: []string{"ResolvedRefs False InvalidExternalName: rule 0, backendRef 0: " +
				"Service shop/self: externalName localhost is the proxy itself"},
		},
		"references of dropped rules are told of": {
			spec: `
rules:
- timeouts: {request: 1s}
  backendRefs: [{name: none, port: 80}]`,
			want: []string{
				"Accepted False UnsupportedValue: No rule can be used: Dropped Rule 0: timeouts: not supported",
				"ResolvedRefs False BackendNotFound: rule 0, backendRef 0: Service shop/none does not exist",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			gateway := test.gateway
			if gateway == "" {
				gateway = httpGateway
			}
			plan := load(t, gateway, services, test.more, routeManifest("route", test.spec)).plan(t)
			if diff := gocmp.Diff(test.want, plan.parents("route")); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouteStatusGenerations: every condition says which generation it is about.
func TestRouteStatusGenerations(t *testing.T) {
	plan := load(t, httpGateway, services, routeManifest("route", `
parentRefs: [{name: web}, {name: web, sectionName: none}]
rules: [{backendRefs: [{name: cart, port: 80}]}, {timeouts: {request: 1s}}]`)).plan(t)
	seen := 0
	for _, statuses := range plan.Routes {
		for _, parent := range statuses {
			for _, c := range parent.Conditions {
				seen++
				if c.ObservedGeneration != 3 {
					t.Errorf("%s: generation %d, want 3", c.Type, c.ObservedGeneration)
				}
			}
		}
	}
	if want := 5; seen != want {
		t.Errorf("%d conditions, want %d", seen, want)
	}
}
