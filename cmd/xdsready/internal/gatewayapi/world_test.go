package gatewayapi

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/certtest"
	"github.com/xdsready/xdsready/pkg/cache"
)

// world is a World of manifests, with the Gateways and HTTPRoutes among them.
type world struct {
	gateways   []*gatewayv1.Gateway
	routes     []*gatewayv1.HTTPRoute
	namespaces map[string]*corev1.Namespace
	grants     []*gatewayv1beta1.ReferenceGrant
	services   map[types.NamespacedName]*corev1.Service
	slices     []*discoveryv1.EndpointSlice
	secrets    map[types.NamespacedName]*corev1.Secret
}

func (w *world) Namespace(name string) *corev1.Namespace          { return w.namespaces[name] }
func (w *world) Service(key types.NamespacedName) *corev1.Service { return w.services[key] }
func (w *world) Secret(key types.NamespacedName) *corev1.Secret   { return w.secrets[key] }
func (w *world) ReferenceGrants(namespace string) (found []*gatewayv1beta1.ReferenceGrant) {
	for _, g := range w.grants {
		if g.Namespace == namespace {
			found = append(found, g)
		}
	}
	return found
}

func (w *world) EndpointSlices(service types.NamespacedName) (found []*discoveryv1.EndpointSlice) {
	for _, s := range w.slices {
		if s.Namespace == service.Namespace && s.Labels[discoveryv1.LabelServiceName] == service.Name {
			found = append(found, s)
		}
	}
	return found
}

// load reads manifests. A Secret without data gets a good certificate.
func load(t *testing.T, manifests ...string) *world {
	t.Helper()
	w := &world{
		namespaces: make(map[string]*corev1.Namespace),
		services:   make(map[types.NamespacedName]*corev1.Service),
		secrets:    make(map[types.NamespacedName]*corev1.Secret),
	}
	for document := range strings.SplitSeq(strings.Join(manifests, "\n---\n"), "\n---\n") {
		if strings.TrimSpace(document) != "" {
			w.add(t, document)
		}
	}
	return w
}

func (w *world) add(t *testing.T, document string) {
	t.Helper()
	switch kind := decode[metav1.TypeMeta](t, document, yaml.Unmarshal).Kind; kind {
	case "Gateway":
		w.gateways = append(w.gateways, decode[gatewayv1.Gateway](t, document, strict))
	case "HTTPRoute":
		w.routes = append(w.routes, decode[gatewayv1.HTTPRoute](t, document, strict))
	case "ReferenceGrant":
		w.grants = append(w.grants, decode[gatewayv1beta1.ReferenceGrant](t, document, strict))
	case "Namespace":
		n := decode[corev1.Namespace](t, document, strict)
		w.namespaces[n.Name] = n
	case "Service":
		s := decode[corev1.Service](t, document, strict)
		w.services[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	case "EndpointSlice":
		w.slices = append(w.slices, decode[discoveryv1.EndpointSlice](t, document, strict))
	case "Secret":
		s := decode[corev1.Secret](t, document, strict)
		if s.Data == nil {
			pair := certtest.NewAuthority(t).Issue(t, s.Name)
			s.Data = map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key}
		}
		w.secrets[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	default:
		t.Fatalf("kind %q in:\n%s", kind, document)
	}
}

func strict(document []byte, into any, _ ...yaml.JSONOpt) error {
	return yaml.UnmarshalStrict(document, into)
}

func decode[T any](t *testing.T, document string, unmarshal func([]byte, any, ...yaml.JSONOpt) error) *T {
	t.Helper()
	var object T
	if err := unmarshal([]byte(document), &object); err != nil {
		t.Fatalf("%v in:\n%s", err, document)
	}
	return &object
}

// plan assembles the first Gateway with the routes that name it.
func (w *world) plan(t *testing.T) *Plan {
	t.Helper()
	gateway := NewGateway(w.gateways[0])
	var resolutions []*Resolution
	for _, object := range w.routes {
		if r := NewRoute(object); slices.Contains(r.Gateways(), gateway.Key()) {
			resolutions = append(resolutions, r.Resolve(w))
		}
	}
	plan, err := gateway.Assemble(resolutions, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range plan.Backends {
		cluster, err := b.Cluster()
		if err != nil {
			t.Fatal(err)
		}
		endpoints, _, err := b.Endpoints(w.EndpointSlices(types.NamespacedName{Namespace: b.Service.Namespace, Name: b.Service.Name}))
		if err != nil {
			t.Fatal(err)
		}
		valid(t, cluster)
		valid(t, endpoints)
	}
	return plan
}

// valid fails the test if Envoy would reject a resource.
func valid(t *testing.T, r cache.Resource) {
	t.Helper()
	if m, ok := r.Message().(message); !ok || m.ValidateAll() != nil {
		t.Errorf("%v breaks Envoy's rules: %v", r, m.ValidateAll())
	}
}

// names returns the resources of a plan as "KIND NAME".
func (p *Plan) names() []string {
	var names []string
	for _, r := range p.Resources {
		names = append(names, string(r.Message().ProtoReflect().Descriptor().Name())+" "+r.Name())
	}
	return names
}

// lines writes conditions as "TYPE STATUS REASON: MESSAGE", those that are as
// they should be left out.
func lines(conditions []metav1.Condition) []string {
	var texts []string
	for _, c := range conditions {
		if c.Status == metav1.ConditionTrue && c.Type == c.Reason || c.Reason == string(gatewayv1.ListenerReasonNoConflicts) {
			continue
		}
		texts = append(texts, fmt.Sprintf("%s %s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return texts
}

// listener returns the status of a listener.
func (p *Plan) listener(t *testing.T, name string) gatewayv1.ListenerStatus {
	t.Helper()
	i := slices.IndexFunc(p.Gateway.Listeners, func(l gatewayv1.ListenerStatus) bool { return string(l.Name) == name })
	if i < 0 {
		t.Fatalf("no status of listener %s", name)
	}
	return p.Gateway.Listeners[i]
}

// parents returns the conditions of a route, those of one parent after those of
// another.
func (p *Plan) parents(name string) []string {
	var texts []string
	for _, parent := range p.Routes[types.NamespacedName{Namespace: "shop", Name: name}] {
		texts = append(texts, lines(parent.Conditions)...)
	}
	return texts
}

// indent puts text below a key of YAML.
func indent(text string, by int) string {
	return strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n"+strings.Repeat(" ", by))
}

// gatewayManifest is a Gateway named shop/web with this spec.
func gatewayManifest(spec string) string {
	return "kind: Gateway\nmetadata: {namespace: shop, name: web, uid: g, generation: 7}\nspec:\n  " + indent(spec, 2)
}

// routeManifest is an HTTPRoute in the namespace shop, attached to shop/web if
// its spec says nothing else.
func routeManifest(name, spec string) string {
	if !strings.Contains(spec, "parentRefs") {
		spec = "parentRefs: [{name: web}]\n" + spec
	}
	return fmt.Sprintf("kind: HTTPRoute\nmetadata: {namespace: shop, name: %s, uid: %s, generation: 3}\nspec:\n  %s", name, name, indent(spec, 2))
}

// httpGateway is a Gateway with one listener that takes everything.
var httpGateway = gatewayManifest("listeners: [{name: http, port: 80, protocol: HTTP}]")

// services are what routes of the tests refer to.
const services = `
kind: Service
metadata: {namespace: shop, name: cart}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}, {name: admin, port: 9000}, {name: dns, port: 53, protocol: UDP}]}
---
kind: EndpointSlice
metadata: {namespace: shop, name: cart-1, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}, {name: admin, port: 9001}]
endpoints: [{addresses: [10.0.0.1]}]
---
kind: Service
metadata: {namespace: shop, name: list}
spec: {ports: [{port: 80}]}
---
kind: Service
metadata: {namespace: bank, name: pay}
spec: {ports: [{port: 80}]}
`

// shuffle puts a list into another order.
func shuffle[T any](random *rand.Rand, list []T) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}
