package bootstrap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// JSON returns a message as indented JSON, which has no room for reasons.
func JSON(m proto.Message) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil { // the spacing of protojson is random
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// YAML returns a bootstrap as YAML, with the reason above each part that has
// one, in an order for readers.
func YAML(m proto.Message) ([]byte, error) {
	text, err := JSON(m)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil { // JSON is YAML
		return nil, err
	}
	toBlocks(&document)
	root := document.Content[0]
	putFirst(root, "node", "admin", "dynamic_resources", "ads_config", "cds_config", "lds_config")
	for _, r := range reasons {
		if key := r.find(root); key != nil {
			key.HeadComment = "# " + strings.ReplaceAll(r.text, "\n", "\n# ")
		}
	}
	b := bytes.NewBufferString(header)
	encoder := yaml.NewEncoder(b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

// toBlocks takes off the braces and quotes of JSON.
func toBlocks(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		toBlocks(child)
	}
}

// putFirst moves these keys to the front of each mapping that has them.
func putFirst(n *yaml.Node, names ...string) {
	for _, name := range slices.Backward(names) {
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				entry := slices.Clone(n.Content[i : i+2])
				n.Content = slices.Insert(slices.Delete(n.Content, i, i+2), 0, entry...)
				break
			}
		}
	}
	for _, child := range n.Content {
		putFirst(child, names...)
	}
}

// find returns the key at the reason's path, nil if it is not there or has
// another value than the reason is for.
func (r reason) find(root *yaml.Node) (key *yaml.Node) {
	value := root
	for name := range strings.SplitSeq(r.path, "/") {
		if value.Kind == yaml.SequenceNode {
			value = value.Content[0] // where there are more, the first speaks for all
		}
		i := slices.IndexFunc(value.Content, func(n *yaml.Node) bool { return n.Value == name })
		if value.Kind != yaml.MappingNode || i < 0 || i%2 != 0 {
			return nil
		}
		key, value = value.Content[i], value.Content[i+1]
	}
	if r.value != "" && value.Value != r.value {
		return nil
	}
	return key
}
