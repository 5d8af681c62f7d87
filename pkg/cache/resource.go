package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
	"unique"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Resource is one xDS resource, encoded once and never changed. Copies share
// the encoding; all methods are safe for concurrent use.
//
// Make one with [NewResource] or [NewResourceFromAny]; the zero Resource is empty
// and refused by [Build].
//
// Formatted or logged, a Resource shows its kind and name, never its content,
// because that may be a private key. The same care is asked of callers of
// Message, Encoded and Any.
type Resource struct {
	*record // nil in the zero Resource only; shared by all Resources of equal content
}

// record is what a Resource says.
type record struct {
	typeURL    string
	name       string
	canonical  unique.Handle[string] // keeps name the one string of its kind
	ttl        time.Duration
	version    Version
	references references
	content    *content

	healthChecked bool
}

// content is one pointer further away than it need be, for fmt prints what a
// pointer in an unexported field points to when its verb does not fit, and does
// not ask String; but it never follows a second pointer.
type content struct {
	packed  *anypb.Any
	message proto.Message // nil: to be decoded when asked for
}

// numerous reports whether a config usually has so many resources of a type that
// keeping each decoded as well, several times its wire form, would be most of
// what the program holds.
func numerous(typeURL string) bool {
	return typeURL == resourcev3.ClusterType || typeURL == resourcev3.EndpointType
}

// NewResource makes a resource of a Cluster, ClusterLoadAssignment, Listener,
// RouteConfiguration, ScopedRouteConfiguration, VirtualHost (VHDS), Secret,
// TypedExtensionConfig (ECDS) or Runtime (RTDS).
//
// The name is the message's own: cluster_name of a ClusterLoadAssignment, name
// of all others. A VirtualHost is asked for as ROUTE_CONFIGURATION/HOST and has
// to have such a name.
//
// m is copied, so the caller may go on changing it. In the copy every nested
// Any is encoded anew, deterministically, because the usual way to make one,
// anypb.New, orders map entries at random: a listener with one map in a filter
// has hundreds of encodings, and each would be a new version. An Any whose type
// is not linked into the program keeps its bytes.
//
// It returns an error when m is of no type above, has no name, or holds an Any
// that does not decode as the type it claims. It does not apply Envoy's
// validation rules (m.ValidateAll does), since an error about those belongs
// where the file and line are known.
func NewResource(m proto.Message) (Resource, error) {
	if m == nil {
		return Resource{}, errors.New("cannot make a resource of a nil message")
	}
	return OwnResource(proto.Clone(m))
}

// OwnResource is NewResource without the copy: m becomes part of the resource,
// and the caller must neither change nor read it any more.
func OwnResource(m proto.Message) (Resource, error) {
	if m == nil {
		return Resource{}, errors.New("cannot make a resource of a nil message")
	}
	return newResource(m)
}

// NewResourceFromAny makes a resource of a packed message, as found in the
// resources of a DiscoveryResponse. Its errors are those of [NewResource], and
// one when the type is not linked into the program.
func NewResourceFromAny(packed *anypb.Any) (Resource, error) {
	m, err := packed.UnmarshalNew()
	if err != nil {
		return Resource{}, fmt.Errorf("cannot unpack %q: %w", packed.GetTypeUrl(), err)
	}
	return newResource(m)
}

// newResource takes ownership of m.
func newResource(m proto.Message) (Resource, error) {
	typeURL, name := identify(m)
	switch {
	case typeURL == "":
		return Resource{}, fmt.Errorf("%s is not an xDS resource type known here: pass a Cluster, "+
			"ClusterLoadAssignment, Listener, RouteConfiguration, ScopedRouteConfiguration, VirtualHost, "+
			"Secret, TypedExtensionConfig or Runtime, as its generated Go type", m.ProtoReflect().Descriptor().FullName())
	case name == "":
		return Resource{}, fmt.Errorf("a %s has no name: set one, since proxies ask for it by name", Kind(typeURL))
	}
	var found references
	if !plain(m) {
		if err := normalize(m.ProtoReflect(), &found, 0); err != nil {
			return Resource{}, fmt.Errorf("%s %q: %w", Kind(typeURL), name, err)
		}
	}
	if c, ok := m.(*clusterv3.Cluster); ok {
		found.addEndpoints(c)
	}
	found.sort()
	encoded, err := deterministic.Marshal(m)
	if err != nil {
		return Resource{}, fmt.Errorf("cannot encode %s %q: %w", Kind(typeURL), name, err)
	}
	canonical := unique.Make(name)
	r := &record{
		typeURL:       typeURL,
		name:          canonical.Value(),
		canonical:     canonical,
		version:       versionOf(typeURL, name, 0, encoded),
		references:    found,
		healthChecked: healthChecked(m),
		content:       &content{packed: &anypb.Any{TypeUrl: typeURL, Value: encoded}},
	}
	if !numerous(typeURL) {
		r.content.message = m
	}
	return Resource{shared.share(r)}, nil
}

func healthChecked(m proto.Message) bool {
	c, ok := m.(*clusterv3.Cluster)
	return ok && len(c.GetHealthChecks()) > 0
}

// identify returns the type URL and the name of a message that proxies can ask
// for, and "" as the type URL of any other.
func identify(m proto.Message) (typeURL, name string) {
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return resourcev3.ClusterType, m.GetName()
	case *endpointv3.ClusterLoadAssignment:
		return resourcev3.EndpointType, m.GetClusterName()
	case *listenerv3.Listener:
		return resourcev3.ListenerType, m.GetName()
	case *routev3.RouteConfiguration:
		return resourcev3.RouteType, m.GetName()
	case *routev3.ScopedRouteConfiguration:
		return resourcev3.ScopedRouteType, m.GetName()
	case *routev3.VirtualHost:
		return resourcev3.VirtualHostType, m.GetName()
	case *tlsv3.Secret:
		return resourcev3.SecretType, m.GetName()
	case *corev3.TypedExtensionConfig:
		return resourcev3.ExtensionConfigType, m.GetName()
	case *runtimev3.Runtime:
		return resourcev3.RuntimeType, m.GetName()
	}
	return "", ""
}

// kinds has a plain word for each type, whose plural ends in s.
var kinds = map[string]string{
	resourcev3.ClusterType:         "cluster",
	resourcev3.EndpointType:        "load assignment",
	resourcev3.ListenerType:        "listener",
	resourcev3.RouteType:           "route table",
	resourcev3.ScopedRouteType:     "scoped route",
	resourcev3.VirtualHostType:     "virtual host",
	resourcev3.SecretType:          "secret",
	resourcev3.ExtensionConfigType: "extension config",
	resourcev3.RuntimeType:         "runtime layer",
}

// Kind returns the plain word for a type URL that logs and status use: "load
// assignment" for type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment.
// It is "other" for a type that no Resource can have, so the set of words is
// closed; metric labels are the same words with _ for the space.
func Kind(typeURL string) string {
	if kind, ok := kinds[typeURL]; ok {
		return kind
	}
	return "other"
}

// AllTypes returns the type URLs that a Resource can have, sorted.
func AllTypes() []string { return slices.Sorted(maps.Keys(kinds)) }

// known returns what r says, which is nothing for the zero Resource.
func (r Resource) known() *record {
	if r.record == nil {
		return &record{}
	}
	return r.record
}

// TypeURL returns the type URL, one of the constants of go-control-plane's
// pkg/resource/v3.
func (r Resource) TypeURL() string { return r.known().typeURL }

// Name returns the name that proxies ask for. It is the string that package unique
// gives, so a server that keeps the names of many proxies can share it.
func (r Resource) Name() string { return r.known().name }

// Version returns the version of type, name, TTL and content together.
func (r Resource) Version() Version { return r.known().version }

// TTL returns how long a proxy keeps the resource without hearing of it again;
// zero, as NewResource makes it, is for ever.
func (r Resource) TTL() time.Duration { return r.known().ttl }

// WithTTL returns the resource with another TTL; zero or less is for ever. It
// has another version, for a proxy must be told. Whatever serves the resource
// has to repeat it in time, or proxies drop it.
func (r Resource) WithTTL(ttl time.Duration) Resource {
	if r.record == nil {
		return r
	}
	other := *r.record
	other.ttl = max(ttl, 0)
	other.version = versionOf(other.typeURL, other.name, other.ttl, r.Encoded())
	return Resource{shared.share(&other)}
}

// Encoded returns the deterministic wire form. It must not be changed.
func (r Resource) Encoded() []byte { return r.Any().GetValue() }

// Any returns the wire form with its type URL, ready to be put into a
// DiscoveryResponse. It is one shared value and must not be changed.
func (r Resource) Any() *anypb.Any {
	if r.record == nil {
		return nil
	}
	return r.content.packed
}

// Message returns the decoded message. It must not be changed: the wire form
// and the version would not follow. Clusters and load assignments, of which
// there are many, are decoded anew at each call.
func (r Resource) Message() proto.Message {
	if r.record == nil {
		return nil
	}
	if r.content.message != nil {
		return r.content.message
	}
	m, err := r.content.packed.UnmarshalNew()
	if err != nil {
		panic(err) // it was made from a message of this very type
	}
	return m
}

// HealthChecked reports whether r is a cluster whose endpoints Envoy checks
// before it takes it for warm.
func (r Resource) HealthChecked() bool { return r.known().healthChecked }

// Equal reports whether both have the same type, name, TTL and content.
func (r Resource) Equal(o Resource) bool { return r.Version() == o.Version() }

// String returns kind and name, such as `cluster "web"`, and never content.
func (r Resource) String() string { return fmt.Sprintf("%s %q", Kind(r.TypeURL()), r.Name()) }

// LogValue makes a logged resource as silent as String.
func (r Resource) LogValue() slog.Value { return slog.StringValue(r.String()) }
