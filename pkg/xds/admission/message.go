package admission

import (
	"strings"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
)

// resourceType is an xDS resource type; its name is the value of the label
// "type".
type resourceType uint8

const (
	typeCluster resourceType = iota
	typeLoadAssignment
	typeListener
	typeRouteTable
	typeScopedRoute
	typeVirtualHost
	typeSecret
	typeExtensionConfig
	typeRuntimeLayer
	typeOther
	typeCount
)

// resourceTypes has the label, the message and the service of each type. The
// labels are pkg/cache's words for these types, joined by "_". The list is
// closed: a client chooses the type URL, and must not choose labels.
var resourceTypes = [typeCount]struct{ label, message, service string }{
	typeCluster:         {"cluster", "Cluster", "ClusterDiscoveryService"},
	typeLoadAssignment:  {"load_assignment", "ClusterLoadAssignment", "EndpointDiscoveryService"},
	typeListener:        {"listener", "Listener", "ListenerDiscoveryService"},
	typeRouteTable:      {"route_table", "RouteConfiguration", "RouteDiscoveryService"},
	typeScopedRoute:     {"scoped_route", "ScopedRouteConfiguration", "ScopedRoutesDiscoveryService"},
	typeVirtualHost:     {"virtual_host", "VirtualHost", "VirtualHostDiscoveryService"},
	typeSecret:          {"secret", "Secret", "SecretDiscoveryService"},
	typeExtensionConfig: {"extension_config", "TypedExtensionConfig", "ExtensionConfigDiscoveryService"},
	typeRuntimeLayer:    {"runtime_layer", "Runtime", "RuntimeDiscoveryService"},
	typeOther:           {label: "other"},
}

func (t resourceType) String() string { return resourceTypes[t].label }

// typeOf returns the type of a type URL such as
// type.googleapis.com/envoy.config.cluster.v3.Cluster. On a stream of a single
// type the URL may be empty: then service, the method's full name, tells it.
func typeOf(url, fullMethod string) resourceType {
	message := url[strings.LastIndexByte(url, '.')+1:]
	service, _, _ := strings.Cut(fullMethod[strings.LastIndexByte(fullMethod, '.')+1:], "/")
	for t, names := range resourceTypes[:typeOther] {
		if message == names.message || url == "" && service == names.service {
			return resourceType(t)
		}
	}
	return typeOther
}

// request is what is observed of a DiscoveryRequest or DeltaDiscoveryRequest.
type request struct {
	resource  resourceType
	nonce     string // of the response it answers; empty: none
	rejection string // Envoy's words if it rejects that response
	rejected  bool
	asks      bool // names resources that it wants sent
	holds     bool // already has an accepted version from an earlier stream
}

// readRequest reads a message by the getters that protoc generates, which fit
// any version of Envoy's types. It is false for messages of other protocols,
// such as access logs.
func readRequest(message any, fullMethod string) (request, bool) {
	m, ok := message.(interface {
		GetTypeUrl() string
		GetResponseNonce() string
		GetErrorDetail() *rpcstatus.Status
	})
	if !ok {
		return request{}, false
	}
	r := request{
		resource:  typeOf(m.GetTypeUrl(), fullMethod),
		nonce:     m.GetResponseNonce(),
		rejection: m.GetErrorDetail().GetMessage(),
		rejected:  m.GetErrorDetail() != nil,
	}
	switch m := message.(type) {
	case interface{ GetVersionInfo() string }:
		r.asks = r.nonce == ""
		r.holds = m.GetVersionInfo() != ""
	case interface {
		GetResourceNamesSubscribe() []string
		GetInitialResourceVersions() map[string]string
	}:
		r.asks = len(m.GetResourceNamesSubscribe()) > 0
		r.holds = len(m.GetInitialResourceVersions()) > 0
	}
	return r, true
}

// response is what is observed of a DiscoveryResponse or
// DeltaDiscoveryResponse.
type response struct {
	resource resourceType
	nonce    string
	delta    bool
}

// readResponse is readRequest for responses.
func readResponse(message any, fullMethod string) (response, bool) {
	m, ok := message.(interface {
		GetTypeUrl() string
		GetNonce() string
	})
	if !ok {
		return response{}, false
	}
	_, delta := message.(interface{ GetSystemVersionInfo() string })
	return response{resource: typeOf(m.GetTypeUrl(), fullMethod), nonce: m.GetNonce(), delta: delta}, true
}
