package dir

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// The forms that protoc-gen-validate, which wrote down the rules of Envoy's
// API, gives to its methods and errors. The generated types share no interface.
type (
	validator  interface{ ValidateAll() error }
	violations interface {
		error
		AllErrors() []error
	}
	violation interface {
		error
		Field() string
		Reason() string
		Cause() error
	}
)

// rules checks a message that was decoded from n against Envoy's own rules, at
// every depth: ValidateAll enters the fields of a message but not what is
// packed into an Any, where most of a listener is. path leads from the resource
// to the message and is empty for the resource.
func (p *parser) rules(m protoreflect.Message, n *yaml.Node, path string) {
	if v, ok := m.Interface().(validator); ok {
		p.violations(v.ValidateAll(), n, path)
	}
	p.packed(m, n, path)
}

// violations reports the innermost errors of a tree of them, and returns false
// if err is no such tree.
func (p *parser) violations(err error, n *yaml.Node, path string) bool {
	if several, ok := errors.AsType[violations](err); ok {
		for _, err := range several.AllErrors() {
			p.violations(err, n, path)
		}
		return true
	}
	one, ok := errors.AsType[violation](err)
	if !ok {
		return false
	}
	name, index, indexed := strings.Cut(strings.TrimSuffix(one.Field(), "]"), "[")
	n, name = enter(n, name)
	path = join(path, name)
	if indexed {
		n, path = element(n, index), fmt.Sprintf("%s[%s]", path, index)
	}
	if !p.violations(one.Cause(), n, path) {
		p.addf(n, "%s: %s; correct it", path, one.Reason())
	}
	return true
}

// packed checks the messages in the Anys below m.
func (p *parser) packed(m protoreflect.Message, n *yaml.Node, path string) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		if inner, err := packed.UnmarshalNew(); err == nil { // fails for an empty Any only
			p.rules(inner.ProtoReflect(), n, path)
		}
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		n, name := enter(n, string(fd.Name()))
		path := join(path, name)
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				p.packed(v.Message(), element(n, k.String()), fmt.Sprintf("%s[%s]", path, k.String()))
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				p.packed(v.List().Get(i).Message(), element(n, strconv.Itoa(i)), fmt.Sprintf("%s[%d]", path, i))
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			p.packed(v.Message(), n, path)
		}
		return true
	})
}

// enter returns the value of a field and the file's spelling of its name. A
// field that the file does not set has the place of its mapping.
func enter(n *yaml.Node, name string) (value *yaml.Node, spelling string) {
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if key := n.Content[i]; bare(key.Value) == bare(name) {
				return place(key, n.Content[i+1]), key.Value
			}
		}
	}
	return n, snakeCase(name)
}

// element returns the value of a map's key or of a list's index.
func element(n *yaml.Node, index string) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == index {
				return place(n.Content[i], n.Content[i+1])
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(index); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	}
	return n
}

// place returns the value with the line of its key, where a reader looks for
// it: a block's first line is the one after its key.
func place(key, value *yaml.Node) *yaml.Node {
	v := *value
	v.Line = key.Line
	return &v
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// bare is what the spellings of a field have in common: consecutive_5xx and
// consecutive5xx in files, Consecutive_5Xx in Go.
func bare(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// snakeCase turns the ConnectTimeout of Go and the connectTimeout of protojson
// into the connect_timeout of files.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
