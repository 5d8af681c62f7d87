package cache

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// target is a resource that another one needs.
type target struct {
	key
	// maybeElsewhere: it is fetched with an api_config_source, whose server may
	// be this control plane or another, such as a node's own SDS agent. That it
	// is absent here does not prove that it is absent.
	maybeElsewhere bool
}

// references is what a resource needs. A nil *references forgets what is added.
type references struct {
	targets   []target
	unknown   []string // why the targets may not be all
	filters   []string // HTTP filters of a listener
	overrides []string // HTTP filters that routes configure for themselves
}

// addField adds what the field of m, populated with value, refers to.
func (r *references) addField(m protoreflect.Message, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	if reason, ok := unknowns[field.FullName()]; ok {
		r.addUnknown(reason)
	}
	if r != nil {
		r.addFilters(field, value)
	}
	if rule, ok := rules[field.FullName()]; ok {
		if rule.source == "" {
			r.addNames(rule.typeURL, value, false)
		} else {
			r.addFetched(rule.typeURL, value, m, rule.source)
		}
	}
	if !field.IsMap() && field.Message() != nil && field.Message().FullName() == extensionSource {
		if name := m.Descriptor().Fields().ByName("name"); name != nil {
			r.addFetched(resourcev3.ExtensionConfigType, m.Get(name), value.Message(), "config_source")
		}
	}
}

// addFilters adds the HTTP filters that the field names.
func (r *references) addFilters(field protoreflect.FieldDescriptor, value protoreflect.Value) {
	switch {
	case field.FullName() == httpFilterName:
		r.filters = append(r.filters, value.String())
	case field.Name() == filterOverrides && field.IsMap():
		value.Map().Range(func(name protoreflect.MapKey, _ protoreflect.Value) bool {
			r.overrides = append(r.overrides, name.String())
			return true
		})
	}
}

// addFetched adds what value names if the ConfigSource in the field source of m
// says that a proxy asks a management server for it. A file is not ours, and
// neither is what has no source: that is static, in the proxy's bootstrap.
func (r *references) addFetched(typeURL string, value protoreflect.Value, m protoreflect.Message, source protoreflect.Name) {
	config := m.Get(m.Descriptor().Fields().ByName(source)).Message()
	specifier := config.WhichOneof(config.Descriptor().Oneofs().ByName("config_source_specifier"))
	if specifier == nil {
		return
	}
	switch specifier.Name() {
	case "ads", "self":
		r.addNames(typeURL, value, false)
	case "api_config_source":
		r.addNames(typeURL, value, true)
	}
}

func (r *references) addNames(typeURL string, value protoreflect.Value, maybeElsewhere bool) {
	if list, ok := value.Interface().(protoreflect.List); ok {
		for i := range list.Len() {
			r.addTarget(target{key{typeURL, list.Get(i).String()}, maybeElsewhere})
		}
		return
	}
	r.addTarget(target{key{typeURL, value.String()}, maybeElsewhere})
}

// addEndpoints adds the load assignment of an EDS cluster: the one reference
// whose name may be the referring resource's own.
func (r *references) addEndpoints(c *clusterv3.Cluster) {
	if c.GetType() != clusterv3.Cluster_EDS {
		return
	}
	eds := c.GetEdsClusterConfig()
	name := cmp.Or(eds.GetServiceName(), c.GetName())
	r.addFetched(resourcev3.EndpointType, protoreflect.ValueOfString(name), eds.ProtoReflect(), "eds_config")
}

func (r *references) addTarget(t target) {
	if r != nil && t.name != "" {
		r.targets = append(r.targets, t)
	}
}

func (r *references) addUnknown(reason string) {
	if r != nil {
		r.unknown = append(r.unknown, reason)
	}
}

// sort orders and removes what is there twice: a message has no order of fields.
// A target that is fetched in both ways is ours.
func (r *references) sort() {
	slices.SortFunc(r.targets, func(a, b target) int {
		if c := compareKeys(a.key, b.key); c != 0 || a.maybeElsewhere == b.maybeElsewhere {
			return c
		}
		if b.maybeElsewhere {
			return -1
		}
		return 1
	})
	r.targets = slices.CompactFunc(r.targets, func(a, b target) bool { return a.key == b.key })
	for _, names := range []*[]string{&r.unknown, &r.filters, &r.overrides} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
}
