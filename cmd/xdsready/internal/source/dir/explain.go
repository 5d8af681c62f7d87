package dir

import (
	"regexp"
	"strconv"
)

// jsonError is the form of protojson's errors. The space after "proto:" may
// be a no-break space: protobuf varies it so that nobody compares texts.
var jsonError = regexp.MustCompile(`^proto:[\s\x{a0}]*(?:syntax error )?\(line (\d+):\d+\): (.*)$`)

// explanations are the texts of protojson, by what they say about the input,
// and ours for them. Only what a row names is passed on, since protojson quotes
// values, and a value may be a key or a password.
var explanations = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`^unknown field ("[^"]*")`), `unknown field $1; correct its name or remove it`},
	{regexp.MustCompile(`^duplicate field ("[^"]*")`), `field $1 is set twice; remove one`},
	{regexp.MustCompile(`^duplicate map key ("[^"]*")`), `key $1 is set twice; remove one`},
	{regexp.MustCompile(`^duplicate "@type" field`), `"@type" is set twice; remove one`},
	{regexp.MustCompile(`^error parsing ("[^"]*"), oneof (\S+) is already set`), `field $1 and another one of $2 are set; keep one`},
	{regexp.MustCompile(`^invalid value for string field (\w+)`), `field $1: value is not a text; put it in quotes`},
	{regexp.MustCompile(`^invalid value for (\w+) field (\w+)`), `field $2: value is not of type $1; correct it`},
	{regexp.MustCompile(`^invalid value for (\w+) key`), `key is not of type $1; correct it`},
	{regexp.MustCompile(`^invalid google\.protobuf\.Duration value`), `value is not a duration; write seconds such as "1.5s"`},
	{regexp.MustCompile(`^google\.protobuf\.Duration value out of range`), `duration is out of range; write a shorter one`},
	{regexp.MustCompile(`^invalid google\.protobuf\.Timestamp value`), `value is not a time; write it as in "2026-01-02T15:04:05Z"`},
	{regexp.MustCompile(`^unable to resolve ("[^"]*")`), `unknown "@type" $1; correct the type's name`},
	{regexp.MustCompile(`^missing "@type" field`), `message has no "@type"; add one`},
	{regexp.MustCompile(`^missing "value" field`), `this "@type" needs its content in a field "value"; add it`},
	{regexp.MustCompile(`^google\.protobuf\.Any: unable to resolve ("[^"]*")`), `unknown "@type" $1; correct the type's name`},
	{regexp.MustCompile(`^unexpected token`), `value is of another kind (mapping, list or scalar) than the field; correct it`},
}

// explain turns an error of protojson about a resource into a fault. first is
// the line of the file at which the JSON text starts. For a secret not even
// field names are quoted: a key pasted with the wrong indentation becomes one.
func explain(err error, first int, secret bool) *fault {
	line, detail := first, err.Error()
	if m := jsonError.FindStringSubmatch(detail); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line += n - 1
		}
		detail = m[2]
	}
	if secret {
		return &fault{line, "unknown field or wrong value in a secret; compare with Envoy's reference"}
	}
	for _, e := range explanations {
		if m := e.pattern.FindStringSubmatchIndex(detail); m != nil {
			return &fault{line, string(e.pattern.ExpandString(nil, e.text, detail, m))}
		}
	}
	return &fault{line, "value does not fit the field; compare with Envoy's reference"}
}
