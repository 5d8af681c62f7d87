package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unique"

	"istio.io/istio/pkg/kube/krt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// scheme has the types of all inputs.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, gatewayv1beta1.Install} {
		if err := add(s); err != nil {
			panic(err) // two types of one name: a mistake in this file
		}
	}
	return s
}()

// Group versions, in the type that clients take.
var (
	gatewayAPI     = schema.GroupVersion(gatewayv1.GroupVersion)
	gatewayAPIBeta = schema.GroupVersion(gatewayv1beta1.GroupVersion) // ReferenceGrants: older CRDs have no v1 of them
	apiextensions  = schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}
)

// mapper knows the paths of all that is asked for, so that no client has to
// discover them first, which would be one more thing that can fail.
var mapper = func() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	add := func(version schema.GroupVersion, kind, plural string, scope meta.RESTScope) {
		resource := version.WithResource(plural)
		m.AddSpecific(version.WithKind(kind), resource, resource, scope)
	}
	add(gatewayAPI, "GatewayClass", "gatewayclasses", meta.RESTScopeRoot)
	add(gatewayAPI, "Gateway", "gateways", meta.RESTScopeNamespace)
	add(gatewayAPI, "HTTPRoute", "httproutes", meta.RESTScopeNamespace)
	add(gatewayAPIBeta, "ReferenceGrant", "referencegrants", meta.RESTScopeNamespace)
	add(corev1.SchemeGroupVersion, "Service", "services", meta.RESTScopeNamespace)
	add(discoveryv1.SchemeGroupVersion, "EndpointSlice", "endpointslices", meta.RESTScopeNamespace)
	add(apiextensions, "CustomResourceDefinition", "customresourcedefinitions", meta.RESTScopeRoot)
	add(authenticationv1.SchemeGroupVersion, "TokenReview", "tokenreviews", meta.RESTScopeRoot)
	return m
}()

// inputs are all that is read of a cluster.
type inputs struct {
	classes    *input[*gatewayv1.GatewayClass]
	gateways   *input[*gatewayv1.Gateway]
	routes     *input[*gatewayv1.HTTPRoute]
	grants     *input[*gatewayv1beta1.ReferenceGrant]
	services   *input[*corev1.Service]
	slices     *input[*discoveryv1.EndpointSlice]
	secrets    *input[*corev1.Secret]
	namespaces *input[*corev1.Namespace]
}

// feed is an input of any type.
type feed interface {
	name() string
	listed() krt.Syncer
	watermark() (changed, reached string)
	certain() bool
	run(ctx context.Context)
}

func (in *input[T]) name() string       { return in.resource }
func (in *input[T]) listed() krt.Syncer { return in.synced }

// all lists the inputs, referrers first, as they are shown.
func (in *inputs) all() []feed {
	return []feed{in.classes, in.gateways, in.routes, in.grants, in.services, in.slices, in.secrets, in.namespaces}
}

// CRDs are the resources that a cluster has only if somebody installed them.
var CRDs = []string{"gatewayclasses", "gateways", "httproutes", "referencegrants"}

// ParseCRDs returns the plural names of CRDs that may be given with their
// group. The error names one that is not ours.
func ParseCRDs(names []string) ([]string, error) {
	var plurals []string
	for _, name := range names {
		plural, group, qualified := strings.Cut(name, ".")
		if !slices.Contains(CRDs, plural) || qualified && group != gatewayv1.GroupName {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(CRDs, ", "))
		}
		plurals = append(plurals, plural)
	}
	return plurals, nil
}

// maker makes inputs.
type maker struct {
	config     *rest.Config
	httpClient *http.Client
	live       client.Reader
	optional   []string
	delays     map[string]time.Duration
	report     report
	logger     *slog.Logger
	krt        krt.OptionsBuilder
	err        error // the first
}

func (m *maker) inputs() (*inputs, error) {
	all := &inputs{
		classes:    newInput[*gatewayv1.GatewayClass](m, gatewayAPI.WithKind("GatewayClass"), "gatewayclasses"),
		gateways:   newInput[*gatewayv1.Gateway](m, gatewayAPI.WithKind("Gateway"), "gateways"),
		routes:     newInput[*gatewayv1.HTTPRoute](m, gatewayAPI.WithKind("HTTPRoute"), "httproutes"),
		grants:     newInput[*gatewayv1beta1.ReferenceGrant](m, gatewayAPIBeta.WithKind("ReferenceGrant"), "referencegrants"),
		services:   newInput[*corev1.Service](m, corev1.SchemeGroupVersion.WithKind("Service"), "services"),
		slices:     newInput[*discoveryv1.EndpointSlice](m, discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), "endpointslices"),
		secrets:    newInput[*corev1.Secret](m, corev1.SchemeGroupVersion.WithKind("Secret"), secretsName),
		namespaces: newInput[*corev1.Namespace](m, corev1.SchemeGroupVersion.WithKind("Namespace"), "namespaces"),
	}
	if m.err != nil {
		return nil, m.err
	}
	// No other secret is any business of a gateway.
	all.secrets.requests.fields = "type=" + string(corev1.SecretTypeTLS)
	all.services.strip = stripService
	all.slices.strip = stripSlice
	return all, nil
}

func newInput[T object](m *maker, kind schema.GroupVersionKind, resource string) *input[T] {
	restClient, err := apiutil.RESTClientForGVK(kind, false, false, m.config, serializer.NewCodecFactory(scheme), m.httpClient)
	if err != nil && m.err == nil {
		m.err = err
	}
	in := &input[T]{
		resource: resource, synced: newLatch(), report: m.report, logger: m.logger,
		requests: &requests{client: restClient, resource: resource, delay: m.delays[resource]},
		optional: slices.Contains(m.optional, resource),
		doubtful: map[string]int{}, doubts: make(chan struct{}, 1),
	}
	if slices.Contains(CRDs, resource) {
		in.crd = &crd{name: resource + "." + gatewayv1.GroupName, live: m.live}
	}
	in.objects = krt.NewStaticCollection[T](in.synced, nil, m.krt.WithName(resource)...)
	return in
}

// stripService drops what nobody reads of a Service.
func stripService(s *corev1.Service) {
	s.Annotations, s.Labels, s.OwnerReferences = nil, nil, nil
	s.Status = corev1.ServiceStatus{}
}

// stripSlice drops what nobody reads of an EndpointSlice. There are more
// endpoints than anything else, in few zones.
func stripSlice(s *discoveryv1.EndpointSlice) {
	s.Annotations, s.OwnerReferences = nil, nil
	s.Labels = map[string]string{discoveryv1.LabelServiceName: s.Labels[discoveryv1.LabelServiceName]}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		e.TargetRef, e.Hostname, e.NodeName, e.Hints, e.DeprecatedTopology = nil, nil, nil, nil, nil
		if e.Zone != nil {
			zone := unique.Make(*e.Zone).Value()
			e.Zone = &zone
		}
	}
}
