package gatewayapi

import (
	"encoding/base64"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
)

const goodSecret = `
kind: Secret
metadata: {namespace: shop, name: good}
type: kubernetes.io/tls`

// TestListenerStatus: each fault of a listener has the conditions and the
// reasons that the Gateway API gives it, and the listener beside it is served.
func TestListenerStatus(t *testing.T) {
	const beside = `
- {name: beside, port: 8080, protocol: HTTP}`
	for name, test := range map[string]struct {
		spec string // of the Gateway; the listener "it" is judged
		more string // manifests
		want []string
		// usable: it is served, although there is something to be said about it.
		usable bool
	}{
		"HTTP":  {spec: `listeners: [{name: it, port: 80, protocol: HTTP}, {name: beside, port: 8080, protocol: HTTP}]`, usable: true},
		"HTTPS": {spec: httpsListener("certificateRefs: [{name: good}]") + beside, more: goodSecret, usable: true},
		"protocol": {
			spec: `listeners: [{name: it, port: 8080, protocol: TCP}, {name: beside, port: 8080, protocol: HTTP}]`,
			want: []string{
				"Accepted False UnsupportedProtocol: protocol TCP: use HTTP or HTTPS",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"hostname": {
			spec: `listeners: [{name: it, port: 80, protocol: HTTP, hostname: "a.*.example.com"}, {name: beside, port: 8080, protocol: HTTP}]`,
			want: []string{
				`Accepted False UnsupportedValue: hostname "a.*.example.com": a lowercase RFC 1123 subdomain must consist of lower case ` +
					`alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex ` +
					`used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"same hostname": {
			spec: `
listeners:
- {name: it, port: 80, protocol: HTTP, hostname: a.example}
- {name: other, port: 80, protocol: HTTP, hostname: a.example}
- {name: beside, port: 80, protocol: HTTP}`,
			want: []string{
				"Accepted False HostnameConflict: port 80 has the same hostname in: other",
				"Programmed False Invalid: the listener is left out: see the other conditions",
				"Conflicted True HostnameConflict: port 80 has the same hostname in: other",
			},
		},
		"other protocol on the port": {
			spec: `
listeners:
- {name: it, port: 80, protocol: HTTP, hostname: a.example}
- {name: other, port: 80, protocol: HTTPS, hostname: b.example, tls: {certificateRefs: [{name: good}]}}` + beside,
			more: goodSecret,
			want: []string{
				"Accepted False ProtocolConflict: port 80 has another protocol in: other",
				"Programmed False Invalid: the listener is left out: see the other conditions",
				"Conflicted True ProtocolConflict: port 80 has another protocol in: other",
			},
		},
		"kinds of routes": {
			spec: `
listeners:
- name: it
  port: 80
  protocol: HTTP
  allowedRoutes: {kinds: [{kind: HTTPRoute}, {kind: GRPCRoute}, {group: example.com, kind: HTTPRoute}]}` + beside,
			want: []string{"ResolvedRefs False InvalidRouteKinds: allowedRoutes.kinds: GRPCRoute.gateway.networking.k8s.io is not supported, " +
				"HTTPRoute is; allowedRoutes.kinds: HTTPRoute.example.com is not supported, HTTPRoute is"},
			usable: true,
		},
		"namespaces": {
			spec: `listeners: [{name: it, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Near}}}, {name: beside, port: 8080, protocol: HTTP}]`,
			want: []string{
				"Accepted False UnsupportedValue: allowedRoutes.namespaces: from Near: use Same, All or Selector",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"selector": {
			spec: `listeners: [{name: it, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}, {name: beside, port: 8080, protocol: HTTP}]`,
			want: []string{
				"Accepted False UnsupportedValue: allowedRoutes.namespaces: from Selector needs a selector",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"no certificate": {
			spec: httpsListener("{}") + beside,
			want: badCertificate("InvalidCertificateRef", "tls.certificateRefs: HTTPS needs a certificate"),
		},
		"certificate that is no Secret": {
			spec: httpsListener("certificateRefs: [{kind: ConfigMap, name: good}]") + beside,
			want: badCertificate("InvalidCertificateRef", "ConfigMap good: a certificate is a Secret"),
		},
		"secret absent": {
			spec: httpsListener("certificateRefs: [{name: good}]") + beside,
			want: badCertificate("InvalidCertificateRef", "Secret shop/good does not exist, or is not of type kubernetes.io/tls"),
		},
		"secret that is no certificate": {
			spec: httpsListener("certificateRefs: [{name: bad}]") + beside,
			more: "kind: Secret\nmetadata: {namespace: shop, name: bad}\ndata: {tls.crt: YQ==, tls.key: YQ==}",
			want: badCertificate("InvalidCertificateRef",
				"Secret shop/bad: tls.crt and tls.key are no certificate and its key: tls: failed to find any PEM data in certificate input"),
		},
		"key of another certificate": {
			spec: httpsListener("certificateRefs: [{name: bad}]") + beside,
			more: mixedPair(t),
			want: badCertificate("InvalidCertificateRef",
				"Secret shop/bad: tls.crt and tls.key are no certificate and its key: tls: private key does not match public key"),
		},
		"secret without grant": {
			spec: httpsListener("certificateRefs: [{name: good, namespace: vault}]") + beside,
			more: "kind: Secret\nmetadata: {namespace: vault, name: good}",
			want: badCertificate("RefNotPermitted", "no ReferenceGrant in namespace vault lets Gateways of namespace shop refer to Secret vault/good"),
		},
		"one of two certificates": {
			spec:   httpsListener("certificateRefs: [{name: good}, {name: none}]") + beside,
			more:   goodSecret,
			want:   []string{"ResolvedRefs False InvalidCertificateRef: Secret shop/none does not exist, or is not of type kubernetes.io/tls"},
			usable: true,
		},
		"passthrough": {
			spec: httpsListener("{mode: Passthrough, certificateRefs: [{name: good}]}") + beside,
			more: goodSecret,
			want: []string{
				"Accepted False UnsupportedValue: tls.mode Passthrough: HTTPS is terminated here, use Terminate",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"options of TLS": {
			spec: httpsListener("{certificateRefs: [{name: good}], options: {example.com/min: v1}}") + beside,
			more: goodSecret,
			want: []string{
				"Accepted False UnsupportedValue: tls.options: none are supported",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"client certificates": {
			spec: "tls: {frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}}\n" +
				httpsListener("certificateRefs: [{name: good}]") + beside,
			more: goodSecret,
			want: []string{
				"Accepted False UnsupportedValue: tls.frontend of the Gateway: client certificates are not supported",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"client certificates on the port": {
			spec: "tls: {frontend: {default: {}, perPort: [{port: 443, tls: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}]}}\n" +
				httpsListener("certificateRefs: [{name: good}]") + beside,
			more: goodSecret,
			want: []string{
				"Accepted False UnsupportedValue: tls.frontend of the Gateway: client certificates are not supported",
				"Programmed False Invalid: the listener is left out: see the other conditions",
			},
		},
		"client certificates on another port": {
			spec: "tls: {frontend: {default: {}, perPort: [{port: 444, tls: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}]}}\n" +
				httpsListener("certificateRefs: [{name: good}]") + beside,
			more:   goodSecret,
			usable: true,
		},
		"overlap": {
			spec: `
listeners:
- {name: it, port: 443, protocol: HTTPS, hostname: "*.a.example", tls: {certificateRefs: [{name: good}]}}
- {name: beside, port: 443, protocol: HTTPS, hostname: www.a.example, tls: {certificateRefs: [{name: good}]}}
- {name: third, port: 443, protocol: HTTPS, hostname: www.b.example, tls: {certificateRefs: [{name: good}]}}`,
			more:   goodSecret,
			want:   []string{"OverlappingTLSConfig True OverlappingHostnames: a hostname is also one of: beside"},
			usable: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := load(t, gatewayManifest(test.spec), test.more).plan(t)
			got := plan.listener(t, "it")
			if diff := gocmp.Diff(test.want, lines(got.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			programmed := slices.ContainsFunc(got.Conditions, func(c metav1.Condition) bool {
				return c.Type == string(gatewayv1.ListenerConditionProgrammed) && c.Status == metav1.ConditionTrue
			})
			if programmed != test.usable {
				t.Errorf("programmed %t, want %t", programmed, test.usable)
			}
			for _, c := range lines(plan.listener(t, "beside").Conditions) {
				if name != "overlap" {
					t.Errorf("the listener beside it: %s", c)
				}
			}
			if len(plan.names()) == 0 {
				t.Error("nothing is served")
			}
		})
	}
}

// httpsListener is a list of one HTTPS listener with this tls.
func httpsListener(tls string) string {
	return "listeners:\n- name: it\n  port: 443\n  protocol: HTTPS\n  tls:\n    " + tls
}

func badCertificate(reason, message string) []string {
	return []string{
		"Programmed False Invalid: the listener is left out: see the other conditions",
		"ResolvedRefs False " + reason + ": " + message,
	}
}

// mixedPair is a Secret with the key of another certificate.
func mixedPair(t *testing.T) string {
	t.Helper()
	authority := certtest.NewAuthority(t)
	one, other := authority.Issue(t, "one"), authority.Issue(t, "other")
	return "kind: Secret\nmetadata: {namespace: shop, name: bad}\ndata:\n" +
		"  tls.crt: " + base64.StdEncoding.EncodeToString(one.Cert) + "\n" +
		"  tls.key: " + base64.StdEncoding.EncodeToString(other.Key)
}

// TestGatewayStatus: the Gateway sums up its listeners.
func TestGatewayStatus(t *testing.T) {
	for name, test := range map[string]struct {
		spec      string
		want      []string
		resources []string
	}{
		"good": {
			spec:      `listeners: [{name: http, port: 80, protocol: HTTP}]`,
			resources: []string{"Listener http-80", "RouteConfiguration http-80"},
		},
		"some listeners": {
			spec: `listeners: [{name: http, port: 80, protocol: HTTP}, {name: tcp, port: 81, protocol: TCP}, {name: udp, port: 81, protocol: UDP}]`,
			want: []string{"Accepted True ListenersNotValid: listeners left out: tcp, udp; in use: http"},
			resources: []string{
				"Listener http-80", "RouteConfiguration http-80",
			},
		},
		"no listener": {
			spec: `listeners: [{name: tcp, port: 81, protocol: TCP}]`,
			want: []string{
				"Accepted False ListenersNotValid: no listener can be used: tcp",
				"Programmed False Invalid: no listener can be used",
			},
		},
		"references of listeners": {
			spec: `listeners: [{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}, {name: http, port: 80, protocol: HTTP}]`,
			want: []string{
				"Accepted True ListenersNotValid: listeners left out: a; in use: http",
				"ResolvedRefs False ListenersNotResolved: listeners: a",
			},
			resources: []string{"Listener http-80", "RouteConfiguration http-80"},
		},
		"addresses": {
			spec:      "addresses: [{value: 192.0.2.1}]\nlisteners: [{name: http, port: 80, protocol: HTTP}]",
			want:      []string{"Programmed False AddressNotUsable: addresses: none can be assigned; the listeners are served on the addresses of the proxies"},
			resources: []string{"Listener http-80", "RouteConfiguration http-80"},
		},
		"parameters": {
			spec: "infrastructure: {parametersRef: {group: example.com, kind: Proxy, name: big}}\nlisteners: [{name: http, port: 80, protocol: HTTP}]",
			want: []string{
				"Accepted False InvalidParameters: parametersRef to Proxy.example.com big: no parameters are supported",
				"Programmed False Invalid: no listener can be used",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := load(t, gatewayManifest(test.spec)).plan(t)
			if diff := gocmp.Diff(test.want, lines(plan.Gateway.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(test.resources, plan.names()); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAttachedRoutes counts routes that are accepted, be the listener usable or
// not, and each once.
func TestAttachedRoutes(t *testing.T) {
	plan := load(t, services, gatewayManifest(`
listeners:
- {name: http, port: 80, protocol: HTTP}
- {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}
- {name: tcp, port: 81, protocol: TCP}
- {name: grpc, port: 82, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}`),
		routeManifest("everywhere", "rules: [{backendRefs: [{name: cart, port: 80}]}]"),
		routeManifest("twice", "parentRefs: [{name: web, sectionName: http}, {name: web, sectionName: http, port: 80}]\nrules: [{}]"),
		routeManifest("invalid", "rules: [{timeouts: {request: 1s}}]"),
		routeManifest("elsewhere", "parentRefs: [{name: web, sectionName: none}]\nrules: [{}]"),
	).plan(t)
	got := make(map[string]int32)
	kinds := make(map[string]int)
	for _, l := range plan.Gateway.Listeners {
		got[string(l.Name)], kinds[string(l.Name)] = l.AttachedRoutes, len(l.SupportedKinds)
		if l.SupportedKinds == nil {
			t.Errorf("%s: an absent list of kinds is not written to the API server", l.Name)
		}
	}
	if diff := gocmp.Diff(map[string]int32{"http": 2, "tls": 1, "tcp": 0, "grpc": 0}, got); diff != "" {
		t.Errorf("attached routes (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(map[string]int{"http": 1, "tls": 1, "tcp": 0, "grpc": 0}, kinds); diff != "" {
		t.Errorf("number of kinds (-want +got):\n%s", diff)
	}
}

func TestClassStatus(t *testing.T) {
	class := &gatewayv1.GatewayClass{}
	class.Generation = 2
	if diff := gocmp.Diff([]string(nil), lines(ClassStatus(class).Conditions)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	class.Spec.ParametersRef = &gatewayv1.ParametersReference{Group: "example.com", Kind: "Proxy", Name: "big"}
	got := ClassStatus(class).Conditions
	want := []string{"Accepted False InvalidParameters: parametersRef to Proxy.example.com big: no parameters are supported"}
	if diff := gocmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if got[0].ObservedGeneration != 2 {
		t.Errorf("generation %d, want 2", got[0].ObservedGeneration)
	}
}

func TestEndpointsCondition(t *testing.T) {
	good := EndpointsCondition(nil, 4)
	bad := EndpointsCondition([]string{"a", "b"}, 4)
	want := []string{"xdsready.io/EndpointsUsable True EndpointsUsable: ", "xdsready.io/EndpointsUsable False InvalidEndpoints: a; b"}
	if diff := gocmp.Diff(want, lines([]metav1.Condition{good, bad})); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}
