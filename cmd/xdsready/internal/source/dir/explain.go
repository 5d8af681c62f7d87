package dir

import (
	"regexp"
	"strconv"
)

// A fault quotes names of fields, map keys and types, which help to find it,
// and never values. Text that should have been a value can end up as a name,
// such as a private key with a wrong indentation; so what is quoted must also
// look like a name: a line of base64 has 64 characters and no dots.
var (
	fieldName = regexp.MustCompile(`^@?\w{1,60}$`)
	typeName  = regexp.MustCompile(`^(?:[\w.-]+/)?\w+(?:\.\w+)+$`)
)

// jsonError is the form of protojson's errors. The space after "proto:" may
// be a no-break space: protobuf varies it so that nobody compares texts.
var jsonError = regexp.MustCompile(`^proto:[\s\x{a0}]*(?:syntax error )?\(line (\d+):\d+\): (.*)$`)

// explanations are the texts of protojson, by what they say about the input,
// and ours for them. The first row that fits counts. Only what a row captures
// is passed on, since protojson quotes values.
var explanations = []struct {
	pattern *regexp.Regexp
	text    string
	quotes  bool // a name that is not Envoy's but the file's: not for secrets
}{
	{regexp.MustCompile(`^unknown field ("@?\w{1,60}")`), `unknown field $1; correct its name or remove it`, true},
	{regexp.MustCompile(`^unknown field`), `unknown field; correct its name or remove it`, false},
	{regexp.MustCompile(`^duplicate field ("\w+")`), `field $1 is set twice; remove one`, false},
	{regexp.MustCompile(`^duplicate map key ("[\w./@-]{1,60}")`), `key $1 is set twice; remove one`, true},
	{regexp.MustCompile(`^duplicate map key`), `a key is set twice; remove one`, false},
	{regexp.MustCompile(`^duplicate "@type" field`), `"@type" is set twice; remove one`, false},
	{regexp.MustCompile(`^error parsing ("\w+"), oneof (\S+) is already set`), `field $1 and another one of $2 are set; keep one`, false},
	{regexp.MustCompile(`^invalid value for string field (\w+)`), `field $1: value is not a text; put it in quotes`, false},
	{regexp.MustCompile(`^invalid value for (\w+) field (\w+)`), `field $2: value is not of type $1; correct it`, false},
	{regexp.MustCompile(`^invalid value for (\w+) key`), `key is not of type $1; correct it`, false},
	{regexp.MustCompile(`^invalid google\.protobuf\.Duration value`), `value is not a duration; write seconds such as "1.5s"`, false},
	{regexp.MustCompile(`^google\.protobuf\.Duration value out of range`), `duration is out of range; write a shorter one`, false},
	{regexp.MustCompile(`^invalid google\.protobuf\.Timestamp value`), `value is not a time; write it as in "2026-01-02T15:04:05Z"`, false},
	{regexp.MustCompile(`^unable to resolve ("(?:[\w.-]+/)?\w+(?:\.\w+)+")`), `unknown "@type" $1; correct the type's name`, true},
	{regexp.MustCompile(`^unable to resolve`), `"@type" is not the name of a type; correct it`, false},
	{regexp.MustCompile(`^missing "@type" field`), `message has no "@type"; add one`, false},
	{regexp.MustCompile(`^missing "value" field`), `this "@type" needs its content in a field "value"; add it`, false},
	{regexp.MustCompile(`^unexpected token`), `value is of another kind (mapping, list or scalar) than the field; correct it`, false},
}

// jsonName is a field as protojson names it, at the beginning of our text.
// Envoy's reference and most files write it in snake case.
var jsonName = regexp.MustCompile(`^field \w+:`)

// explain turns an error of protojson about a resource into a fault. first is
// the line of the file at which the JSON text starts.
func explain(err error, first int, secret bool) *fault {
	line, detail := first, err.Error()
	if m := jsonError.FindStringSubmatch(detail); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line += n - 1
		}
		detail = m[2]
	}
	for _, e := range explanations {
		m := e.pattern.FindStringSubmatchIndex(detail)
		if m == nil || e.quotes && secret {
			continue
		}
		return &fault{line, jsonName.ReplaceAllStringFunc(string(e.pattern.ExpandString(nil, e.text, detail, m)), snakeCase)}
	}
	return &fault{line, "value does not fit the field; compare with Envoy's reference"}
}
