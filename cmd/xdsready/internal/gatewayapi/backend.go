package gatewayapi

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Backend is one port of a Service.
type Backend struct {
	Service *corev1.Service
	Port    int32
}

// Name returns the name of the cluster, "NAMESPACE/SERVICE/PORT".
func (b Backend) Name() string {
	return clusterName(types.NamespacedName{Namespace: b.Service.Namespace, Name: b.Service.Name}, b.Port)
}

func clusterName(service types.NamespacedName, port int32) string {
	return service.String() + "/" + strconv.Itoa(int(port))
}

// External reports whether DNS knows the endpoints, not EndpointSlices.
func (b Backend) External() bool { return b.Service.Spec.Type == corev1.ServiceTypeExternalName }

// httpOptions is where a cluster's HTTP options stand.
const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// Cluster returns the cluster of the port: by EDS, or, for an ExternalName
// Service, by DNS with the name to ask for in it.
func (b Backend) Cluster() (cache.Resource, error) {
	c := &clusterv3.Cluster{Name: b.Name()}
	if b.External() {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_ALL
		c.LoadAssignment = &endpointv3.ClusterLoadAssignment{
			ClusterName: c.Name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{lbEndpoint(b.Service.Spec.ExternalName, b.Port)},
			}},
		}
	} else {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()}
		c.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{
			LocalityConfigSpecifier: &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig_{
				LocalityWeightedLbConfig: &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig{},
			},
		}
	}
	if b.appProtocol() == appProtocolH2C {
		options, err := http2Options()
		if err != nil {
			return cache.Resource{}, err
		}
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptions: options}
	}
	return cache.OwnResource(c)
}

func http2Options() (*anypb.Any, error) {
	return anypb.New(&httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
				},
			},
		},
	})
}

// Values of appProtocol that change what is spoken. All others are HTTP/1.1,
// WebSocket among them, which begins as such.
const (
	appProtocolH2C   = "kubernetes.io/h2c"
	appProtocolWSS   = "kubernetes.io/wss"
	appProtocolHTTPS = "https"
)

// port returns the TCP port of the Service, nil if it has none of that number.
func (b Backend) port() *corev1.ServicePort {
	i := slices.IndexFunc(b.Service.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.Port == b.Port && isTCP(p.Protocol)
	})
	if i < 0 {
		return nil
	}
	return &b.Service.Spec.Ports[i]
}

func (b Backend) appProtocol() string {
	return valueOr(valueOr(b.port(), corev1.ServicePort{}).AppProtocol, "")
}

// Exists reports whether the Service has the port. An ExternalName Service
// without ports leaves it to whoever names one.
func (b Backend) Exists() bool {
	return b.port() != nil || b.External() && len(b.Service.Spec.Ports) == 0
}

// ports lists the TCP ports of the Service.
func (b Backend) ports() string {
	var ports []string
	for _, p := range b.Service.Spec.Ports {
		if isTCP(p.Protocol) {
			ports = append(ports, strconv.Itoa(int(p.Port)))
		}
	}
	if len(ports) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(ports, ", ")
}

func isTCP(protocol corev1.Protocol) bool { return protocol == corev1.ProtocolTCP || protocol == "" }

// checkExternalName returns an error for names that lead back to the proxy
// itself. Who may make a Service must not reach Envoy's admin interface with it.
// A name that only DNS resolves to such an address is not seen here.
func checkExternalName(name string) error {
	if address, err := netip.ParseAddr(name); err == nil {
		return checkAddress(address)
	}
	name = strings.TrimSuffix(name, ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return fmt.Errorf("%s is the proxy itself", name)
	}
	if faults := validation.IsDNS1123Subdomain(name); len(faults) > 0 {
		return fmt.Errorf("%q: %s", name, faults[0])
	}
	return nil
}

// checkAddress returns an error for addresses that are no other host's.
func checkAddress(address netip.Addr) error {
	switch address = address.Unmap(); {
	case address.IsLoopback(), address.IsUnspecified():
		return fmt.Errorf("%s is the proxy itself", address)
	case address.IsLinkLocalUnicast(), address.IsMulticast():
		return fmt.Errorf("%s is no address of a pod or host", address)
	default:
		return nil
	}
}
