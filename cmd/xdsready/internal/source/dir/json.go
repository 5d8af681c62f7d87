package dir

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// parseJSON parses a JSON text into the tree that YAML of the same content has.
// The YAML parser cannot do it: it knows neither \/ nor pairs of \u escapes.
func parseJSON(data []byte) (*yaml.Node, *fault) {
	// This checks the whole text and bounds its nesting, so that the tokens
	// need no more checks.
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		line := 1
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line += bytes.Count(data[:max(0, syntax.Offset-1)], []byte("\n"))
		}
		return nil, &fault{line, "not valid JSON: " + err.Error() + "; correct the syntax"}
	}
	r := &jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.decoder.UseNumber()
	return r.node(), nil
}

// jsonReader reads a text that is known to be valid.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	counted int64 // how much of data has been counted
	line    int   // of the end of what has been counted
}

// next returns the next token and its line: no token spans lines.
func (r *jsonReader) next() (json.Token, int) {
	token, err := r.decoder.Token()
	if err != nil {
		panic(err) // the text is valid
	}
	end := r.decoder.InputOffset()
	r.line += bytes.Count(r.data[r.counted:end], []byte("\n"))
	r.counted = end
	return token, r.line
}

func (r *jsonReader) node() *yaml.Node {
	token, line := r.next()
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: line}
	switch t := token.(type) {
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if t == '{' {
			n.Kind = yaml.MappingNode // its keys are tokens like its values
		}
		for r.decoder.More() {
			n.Content = append(n.Content, r.node())
		}
		r.next() // the end of it
	case string:
		n.Value, n.Style = t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Value = t.String()
	case bool:
		n.Value = strconv.FormatBool(t)
	case nil:
		n.Value = "null"
	}
	return n
}
