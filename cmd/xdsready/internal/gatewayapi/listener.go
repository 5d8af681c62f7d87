package gatewayapi

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// listener is one listener of a Gateway as far as the Gateway alone decides it.
type listener struct {
	spec     *gatewayv1.Listener
	hostname string
	kinds    []gatewayv1.RouteGroupKind // of routes, that may attach and are supported

	accepted fault // why it is not used
	conflict fault // with other listeners; then it is not accepted either
	overlap  string
	refs     fault // of kinds of routes
	// selector chooses the namespaces whose routes may attach, by their labels;
	// if it is nil, only namespace may, or all if that is empty.
	selector  labels.Selector
	namespace string
}

func newListener(g *gatewayv1.Gateway, spec *gatewayv1.Listener) *listener {
	l := &listener{spec: spec, hostname: hostnameOf(spec.Hostname)}
	l.accepted = l.judge(g)
	l.setKinds()
	if err := l.setNamespaces(g.Namespace); err != nil {
		l.selector = labels.Nothing()
		if l.accepted.none() {
			l.accepted = faultf(gatewayv1.ListenerReasonUnsupportedValue, "allowedRoutes.namespaces: %v", err)
		}
	}
	return l
}

// supported reports whether the protocol is one that is served here.
func (l *listener) supported() bool {
	return l.spec.Protocol == gatewayv1.HTTPProtocolType || l.secure()
}

// secure reports whether the listener terminates TLS.
func (l *listener) secure() bool { return l.spec.Protocol == gatewayv1.HTTPSProtocolType }

// judge returns why the listener cannot be accepted, conflicts apart. What asks
// for more safety than there is, such as client certificates, must not be
// served without it.
func (l *listener) judge(g *gatewayv1.Gateway) fault {
	if !l.supported() {
		return faultf(gatewayv1.ListenerReasonUnsupportedProtocol, "protocol %s: use HTTP or HTTPS", l.spec.Protocol)
	}
	if l.hostname != anyHost {
		if err := checkHostname(l.hostname); err != nil {
			return faultf(gatewayv1.ListenerReasonUnsupportedValue, "%v", err)
		}
	}
	if !l.secure() {
		return fault{}
	}
	if tls := l.spec.TLS; tls != nil {
		if mode := valueOr(tls.Mode, gatewayv1.TLSModeTerminate); mode != gatewayv1.TLSModeTerminate {
			return faultf(gatewayv1.ListenerReasonUnsupportedValue, "tls.mode %s: HTTPS is terminated here, use Terminate", mode)
		}
		if len(tls.Options) > 0 {
			return faultf(gatewayv1.ListenerReasonUnsupportedValue, "tls.options: none are supported")
		}
	}
	if validatesClients(g, l.spec.Port) {
		return faultf(gatewayv1.ListenerReasonUnsupportedValue, "tls.frontend of the Gateway: client certificates are not supported")
	}
	return fault{}
}

// validatesClients reports whether the Gateway asks for client certificates on
// the port.
func validatesClients(g *gatewayv1.Gateway, port gatewayv1.PortNumber) bool {
	if g.Spec.TLS == nil || g.Spec.TLS.Frontend == nil {
		return false
	}
	frontend := g.Spec.TLS.Frontend
	for _, p := range frontend.PerPort {
		if p.Port == port {
			return p.TLS.Validation != nil
		}
	}
	return frontend.Default.Validation != nil
}

// setKinds keeps of the allowed kinds of routes those that are supported.
func (l *listener) setKinds() {
	l.kinds = []gatewayv1.RouteGroupKind{}
	if !l.supported() {
		return
	}
	group := gatewayv1.Group(gatewayv1.GroupName)
	httpRoute := gatewayv1.RouteGroupKind{Group: &group, Kind: "HTTPRoute"}
	if l.spec.AllowedRoutes == nil || len(l.spec.AllowedRoutes.Kinds) == 0 {
		l.kinds = append(l.kinds, httpRoute)
		return
	}
	var unknown []fault
	for _, k := range l.spec.AllowedRoutes.Kinds {
		kindGroup := valueOr(k.Group, group)
		switch {
		case kindGroup != group || k.Kind != httpRoute.Kind:
			unknown = append(unknown, faultf(gatewayv1.ListenerReasonInvalidRouteKinds, "allowedRoutes.kinds: %s is not supported, HTTPRoute is",
				groupKind(kindGroup, k.Kind)))
		case len(l.kinds) == 0:
			l.kinds = append(l.kinds, httpRoute)
		}
	}
	l.refs = join(unknown)
}

// setNamespaces decides from where routes may attach.
func (l *listener) setNamespaces(own string) error {
	l.namespace = own
	if l.spec.AllowedRoutes == nil || l.spec.AllowedRoutes.Namespaces == nil {
		return nil
	}
	namespaces := l.spec.AllowedRoutes.Namespaces
	switch from := valueOr(namespaces.From, gatewayv1.NamespacesFromSame); from {
	case gatewayv1.NamespacesFromSame:
		return nil
	case gatewayv1.NamespacesFromAll:
		l.namespace = ""
		return nil
	case gatewayv1.NamespacesFromSelector:
		var err error
		l.selector, err = selectorOf(namespaces.Selector)
		return err
	default:
		return fmt.Errorf("from %s: use Same, All or Selector", from)
	}
}

func selectorOf(selector *metav1.LabelSelector) (labels.Selector, error) {
	if selector == nil {
		return nil, fmt.Errorf("from Selector needs a selector")
	}
	return metav1.LabelSelectorAsSelector(selector)
}

// allows reports whether HTTPRoutes of the namespace may attach.
func (l *listener) allows(namespace string, w World) bool {
	if len(l.kinds) == 0 {
		return false
	}
	if l.selector == nil {
		return l.namespace == "" || l.namespace == namespace
	}
	object := w.Namespace(namespace)
	return object != nil && l.selector.Matches(labels.Set(object.Labels))
}

// hosts returns the hostnames for which a route with these hostnames answers on
// the listener, and under which of its own; none if they have no name in common.
func (l *listener) hosts(route []string) []host {
	if len(route) == 0 {
		return []host{{domain: l.hostname, named: anyHost}}
	}
	var hosts []host
	for _, named := range route {
		if common, ok := intersect(l.hostname, named); ok {
			hosts = append(hosts, host{domain: common, named: named})
		}
	}
	return hosts
}

// host is what a hostname of a route comes to on a listener.
type host struct {
	domain string // what both stand for
	named  string // by the route, which is what precedence goes by
}

// certificateRefs returns the references of a listener that terminates TLS.
func (l *listener) certificateRefs() []gatewayv1.SecretObjectReference {
	if !l.secure() || l.spec.TLS == nil {
		return nil
	}
	return l.spec.TLS.CertificateRefs
}

// selects reports whether a parent reference to the Gateway means the listener.
func (l *listener) selects(ref gatewayv1.ParentReference) bool {
	return slices.Contains([]gatewayv1.SectionName{"", l.spec.Name}, valueOr(ref.SectionName, "")) &&
		valueOr(ref.Port, l.spec.Port) == l.spec.Port
}
