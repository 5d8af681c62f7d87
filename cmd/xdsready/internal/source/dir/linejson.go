package dir

import (
	"bytes"
	"encoding/json"
	"math"

	"go.yaml.in/yaml/v3"
)

// lineJSON writes nodes as JSON that has a line break wherever the YAML has
// moved on, so that a line number in protojson's errors, counted from the line
// of the first node, is a line of the file.
type lineJSON struct {
	bytes.Buffer
	line int
}

func newLineJSON(n *yaml.Node) (*lineJSON, *fault) {
	w := &lineJSON{line: n.Line}
	f := w.node(n)
	return w, f
}

// advance breaks lines up to that of the node that is written next.
func (w *lineJSON) advance(n *yaml.Node) {
	for ; w.line < n.Line; w.line++ {
		w.WriteByte('\n')
	}
}

func (w *lineJSON) node(n *yaml.Node) *fault {
	w.advance(n)
	switch n.Kind {
	case yaml.MappingNode:
		return w.mapping(n)
	case yaml.SequenceNode:
		return w.sequence(n)
	default:
		return w.scalar(n)
	}
}

func (w *lineJSON) mapping(n *yaml.Node) *fault {
	w.WriteByte('{')
	for i := 0; i < len(n.Content); i += 2 {
		if i > 0 {
			w.WriteByte(',')
		}
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return &fault{key.Line, "a field's name must be a plain text; correct the syntax"}
		}
		w.advance(key)
		w.value(key.Value)
		w.WriteByte(':')
		if f := w.node(n.Content[i+1]); f != nil {
			return f
		}
	}
	w.WriteByte('}')
	return nil
}

func (w *lineJSON) sequence(n *yaml.Node) *fault {
	w.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			w.WriteByte(',')
		}
		if f := w.node(item); f != nil {
			return f
		}
	}
	w.WriteByte(']')
	return nil
}

// scalar writes numbers, booleans and null as such and all else as text: what
// YAML takes for a timestamp, say, is a string field's value.
func (w *lineJSON) scalar(n *yaml.Node) *fault {
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if err := n.Decode(&v); err != nil {
			return &fault{n.Line, "value does not fit its YAML tag; remove the tag"}
		}
		if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			v = specialFloat(f)
		}
		w.value(v)
	case "!!str", "!!timestamp", "!!binary":
		w.value(n.Value)
	default:
		return &fault{n.Line, "unknown YAML tag; remove it"}
	}
	return nil
}

// specialFloat names what JSON has no number for, the way protojson reads it.
func specialFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return "NaN"
	}
}

// value writes a scalar. The JSON form of text has no line breaks.
func (w *lineJSON) value(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, booleans, nil, integers and finite floats only
	}
	w.Write(text)
}
