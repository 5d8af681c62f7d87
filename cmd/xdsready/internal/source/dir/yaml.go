package dir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFileSize bounds one file. A ConfigMap holds 1 MiB; 16 MiB is some
	// 20,000 clusters, and its tree of nodes still fits a small container.
	maxFileSize = 16 << 20
	// maxDepth bounds the nesting of mappings and lists. Envoy's protobuf
	// runtime refuses messages nested more than 100 deep, and each level of
	// messages is at most two of YAML.
	maxDepth = 200
	// maxSearched bounds the files that are parsed some 20 times to find the line
	// of a syntax error; of a larger one the parser's line is reported.
	maxSearched = 256 << 10
)

// fault is what is wrong at a line; the caller knows the file.
type fault struct {
	line int
	text string
}

func (f *fault) Error() string { return f.text }

// syntaxError takes the line, if there is one, out of the YAML parser's message.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parseTree parses a file, as JSON or as YAML by its name. Aliases are refused,
// which makes the tree as large as the text says and its nodes' lines ascend.
func parseTree(name string, data []byte) (*yaml.Node, *fault) {
	if len(data) > maxFileSize {
		return nil, &fault{1, fmt.Sprintf("file is larger than %d MiB; split it", maxFileSize>>20)}
	}
	if f := checkText(data); f != nil {
		return nil, f
	}
	parse := parseYAML
	if filepath.Ext(name) == ".json" {
		parse = parseJSON
	}
	root, f := parse(data)
	if f != nil {
		return nil, f
	}
	return root, checkTree(root, 1)
}

// checkText finds what the parsers let pass (JSON's replaces broken characters)
// or report without a line (YAML's).
func checkText(data []byte) *fault {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1:
			return &fault{line, "not UTF-8 text; save the file as UTF-8"}
		case r < ' ' && r != '\t' && r != '\r':
			return &fault{line, "control character; remove it"}
		}
		data = data[size:]
	}
	return nil
}

// parseYAML parses the one document of a file.
func parseYAML(data []byte) (*yaml.Node, *fault) {
	first, second, err := decode(data)
	switch {
	case errors.Is(err, io.EOF):
		return nil, &fault{1, `file is empty; write "resources: []" if it is to hold none`}
	case err != nil:
		return nil, syntaxFault(data, err)
	case !second.IsZero():
		return nil, &fault{second.Line, "second YAML document in one file; put it into a file of its own"}
	}
	return first.Content[0], nil
}

// decode returns the first two documents of a text. The second is zero if there
// is none; without a first the error is io.EOF.
func decode(data []byte) (first, second yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&first); err != nil {
		return first, second, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return first, second, err
	}
	return first, second, nil
}

// syntaxFault turns an error of the YAML parser into a fault. Its texts quote
// nothing from the file, except for the name of an unknown alias.
func syntaxFault(data []byte, err error) *fault {
	line, text := splitSyntaxError(err)
	if len(data) <= maxSearched {
		line = searchLine(data, line, text)
	}
	if strings.HasPrefix(text, "unknown anchor") {
		text = "unknown alias"
	}
	return &fault{line, "not valid YAML: " + text + "; correct the syntax"}
}

// splitSyntaxError returns the parser's line, 1 if it tells none, and its text.
func splitSyntaxError(err error) (line int, text string) {
	line, text = 1, err.Error()
	if m := syntaxError.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		text = m[2]
	}
	return line, text
}

// searchLine returns the line of a syntax error. What the parser tells is often
// the line at which the enclosing block starts, which may be hundreds of lines
// before; the error is where the file, cut there, begins to give that error.
func searchLine(data []byte, reported int, text string) int {
	var ends []int // of the lines
	for end := range data {
		if data[end] == '\n' || end == len(data)-1 {
			ends = append(ends, end+1)
		}
	}
	reported = min(reported, len(ends))
	return reported + sort.Search(len(ends)-reported, func(i int) bool {
		_, _, err := decode(data[:ends[reported+i-1]])
		if err == nil {
			return false
		}
		_, got := splitSyntaxError(err)
		return got == text
	})
}

// checkTree refuses what makes a small text a large or endless tree.
func checkTree(n *yaml.Node, depth int) *fault {
	switch {
	case n.Kind == yaml.AliasNode:
		return &fault{n.Line, "YAML aliases are not supported; write the value out"}
	case depth > maxDepth:
		return &fault{n.Line, fmt.Sprintf("nested more than %d levels deep; flatten it", maxDepth)}
	}
	for _, child := range n.Content {
		if f := checkTree(child, depth+1); f != nil {
			return f
		}
	}
	return nil
}
