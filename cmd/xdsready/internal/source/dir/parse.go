package dir

import (
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	// Registers every message of Envoy's API, so that "@type" resolves in the
	// typed_config of any extension.
	_ "istio.io/istio/pkg/config/xds"

	"github.com/xdsready/xdsready/pkg/cache"
)

// typeKey names the type of a message in JSON.
const typeKey = "@type"

// secretType is the message whose content is never quoted.
const secretType = "envoy.extensions.transport_sockets.tls.v3.Secret"

// located is a resource and where it was read, for faults found later.
type located struct {
	cache.Resource
	file string
	line int
}

// parseFile reads one file. It is pure: name only says whether it is JSON, and
// stands in the faults. The resources come back in the order of the file. Every faulty resource yields at
// least one fault, and those that are returned beside faults are good.
func parseFile(name string, data []byte) ([]located, Errors) {
	p := &parser{file: name}
	root, f := parseTree(name, data)
	if f != nil {
		p.add(f)
		return nil, p.errs
	}
	var resources []located
	for _, n := range p.list(root) {
		if r, ok := p.resource(n); ok {
			resources = append(resources, located{r, name, n.Line})
		}
	}
	return resources, p.errs.sort()
}

// parser collects the faults of one file.
type parser struct {
	file string
	errs Errors
}

func (p *parser) add(f *fault) {
	p.errs = append(p.errs, Error{File: p.file, Line: f.line, Text: f.text})
}

func (p *parser) addf(n *yaml.Node, format string, args ...any) {
	p.add(&fault{n.Line, fmt.Sprintf(format, args...)})
}

// list returns the items of "resources" in a DiscoveryResponse.
func (p *parser) list(root *yaml.Node) []*yaml.Node {
	if root.Kind != yaml.MappingNode {
		p.addf(root, `not a DiscoveryResponse: a mapping is expected; put the resources into a list under "resources:"`)
		return nil
	}
	var resources *yaml.Node
	fields := (*discoveryv3.DiscoveryResponse)(nil).ProtoReflect().Descriptor().Fields()
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value == "resources" && resources != nil:
			p.addf(key, `"resources" is set twice; join the lists`)
		case key.Value == "resources":
			resources = value
		case fields.ByTextName(key.Value) == nil && fields.ByJSONName(key.Value) == nil:
			p.addf(key, `not a DiscoveryResponse: unknown field%s; put the resources into a list under "resources:"`, quoted(key.Value))
		}
	}
	switch {
	case resources == nil && p.errs == nil:
		p.addf(root, `not a DiscoveryResponse: no "resources"; write "resources: []" if it is to hold none`)
	case resources == nil:
	case resources.ShortTag() == "!!null": // as of a file that is being written
		p.addf(resources, `"resources" is empty; write "resources: []" if it is to hold none`)
	case resources.Kind != yaml.SequenceNode:
		p.addf(resources, `"resources" is not a list; start each resource with "- "`)
	default:
		return resources.Content
	}
	return nil
}

// quoted returns a field's name for a fault, or nothing if it does not look like
// one.
func quoted(name string) string {
	if fieldName.MatchString(name) {
		return fmt.Sprintf(" %q", name)
	}
	return ""
}

// resource decodes and checks one resource.
func (p *parser) resource(n *yaml.Node) (cache.Resource, bool) {
	m, body, f := newMessage(n)
	if f != nil {
		p.add(f)
		return cache.Resource{}, false
	}
	text, f := newLineJSON(body)
	if f != nil {
		p.add(f)
		return cache.Resource{}, false
	}
	if err := protojson.Unmarshal(text.Bytes(), m); err != nil {
		p.add(explain(err, body.Line, m.ProtoReflect().Descriptor().FullName() == secretType))
		return cache.Resource{}, false
	}
	before := len(p.errs)
	p.rules(m.ProtoReflect(), n, "")
	if len(p.errs) > before {
		return cache.Resource{}, false
	}
	r, err := cache.NewResource(m)
	if err != nil {
		p.addf(n, "%v; correct or remove it", err)
		return cache.Resource{}, false
	}
	return r, true
}

// newMessage returns an empty message of the type that a resource's "@type"
// names, and the resource without that field.
func newMessage(n *yaml.Node) (proto.Message, *yaml.Node, *fault) {
	if n.Kind != yaml.MappingNode {
		return nil, nil, &fault{n.Line, `resource is not a mapping; give it an "@type" and fields`}
	}
	body := *n
	body.Content = nil
	var url *yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value != typeKey:
			body.Content = append(body.Content, key, value)
		case url != nil:
			return nil, nil, &fault{key.Line, `"@type" is set twice; remove one`}
		default:
			url = value
		}
	}
	if url == nil {
		return nil, nil, &fault{n.Line, `resource has no "@type"; add one such as type.googleapis.com/envoy.config.cluster.v3.Cluster`}
	}
	t, err := protoregistry.GlobalTypes.FindMessageByURL(url.Value)
	switch {
	case err == nil:
		return t.New().Interface(), &body, nil
	case typeName.MatchString(url.Value):
		return nil, nil, &fault{url.Line, fmt.Sprintf(`unknown "@type" %q; correct the type's name`, url.Value)}
	default:
		return nil, nil, &fault{url.Line, `"@type" is not the name of a type; write one such as type.googleapis.com/envoy.config.cluster.v3.Cluster`}
	}
}
