package dir

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// header starts a file so that the first resource is at line 2.
const header = "resources:\n"

const twoResources = `{
	"version_info": "7",
	"resources": [
		{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "web", "connectTimeout": "1.5s"},
		{
			"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
			"cluster_name": "web \u00e9 \/ \ud83d\ude00"
		}
	]
}`

func TestParseFileAccepts(t *testing.T) {
	tests := []struct {
		name string
		file string // "f.yaml" if empty
		data string
		want []string
	}{{
		name: "no resources",
		data: "resources: []\n",
	}, {
		name: "the fields of a DiscoveryResponse, in both spellings, are ignored",
		data: "versionInfo: a\nversion_info: b\ncanary: false\ntype_url: x\nnonce: n\ncontrol_plane: {identifier: y}\nresources: []\n",
	}, {
		name: "YAML with mixed types keeps their order and lines",
		data: `# comment
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: table

- name: web
  connect_timeout: 0.25s
  "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
`,
		want: []string{`3 route table "table"`, `6 cluster "web"`},
	}, {
		name: "JSON with tabs and escapes",
		file: "f.json",
		data: twoResources,
		want: []string{`4 cluster "web"`, `5 load assignment "web é / 😀"`},
	}, {
		name: "scalars of every JSON kind",
		file: "f.json",
		data: `{"resources": [{"@type": "a/envoy.service.runtime.v3.Runtime", "name": "1",
			"layer": {"int": -1, "float": 1.5e3, "big": 12345678901234567890, "yes": true, "none": null, "list": [[], {}]}}]}`,
		want: []string{`1 runtime layer "1"`},
	}, {
		name: "JSON in a file for YAML, as far as YAML goes",
		data: strings.ReplaceAll(twoResources, `\/ \ud83d\ude00`, "/ 😀"),
		want: []string{`4 cluster "web"`, `5 load assignment "web é / 😀"`},
	}, {
		name: "scalars of every YAML kind",
		data: header + `- "@type": type.googleapis.com/envoy.service.runtime.v3.Runtime
  name: scalars
  layer: {hex: 0x1F, float: 1.5, yes: true, none: ~, day: 2026-01-02, text: "1", block: "a\nb"}
`,
		want: []string{`2 runtime layer "scalars"`},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resources, errs := parseFile(cmp.Or(tt.file, "f.yaml"), []byte(tt.data))
			if errs != nil {
				t.Fatalf("parseFile: %v", errs)
			}
			var got []string
			for _, r := range resources {
				got = append(got, fmt.Sprintf("%d %v", r.line, r.Resource))
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parseFile (-want +got):\n%s", diff)
			}
		})
	}
}

// A listener whose errors are inside of Anys: the connection manager at line 9
// and its router at line 17.
const deepListener = header + `- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: http
  address:
    socket_address: {address: 127.0.0.1, port_value: 80}
  filter_chains:
  - filters:
    - name: hcm
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        %s
        route_config:
          name: inline
        http_filters:
        - name: envoy.filters.http.router
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
            %s
`

func TestParseFileRefuses(t *testing.T) {
	const cluster = `- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster` + "\n"
	tests := []struct {
		name string
		data string
		want []string
	}{
		{"an empty file", "# nothing\n", []string{`f:1: file is empty; write "resources: []" if it is to hold none`}},
		{"a syntax error", header + "  - a: b\n c: d\n", []string{`f:3: not valid YAML: did not find expected key; correct the syntax`}},
		{"a syntax error in a list", header + "- a\nb\n", []string{`f:3: not valid YAML: could not find expected ':'; correct the syntax`}},
		{"a syntax error after many good lines", header + strings.Repeat("- a: 1\n  b:\n    c: 2\n", 9) + "   d: 3\n" + "- e: 4\n", []string{`f:29: not valid YAML: did not find expected key; correct the syntax`}},
		{"a quotation without end", header + "- a: 'b\n- c: d\n", []string{`f:2: not valid YAML: found unexpected end of stream; correct the syntax`}},
		{"a syntax error in a large file, near its line", header + "- a: b\n c: d\n" + strings.Repeat("#", maxSearched), []string{`f:2: not valid YAML: did not find expected key; correct the syntax`}},
		{"a syntax error in a second document", "resources: []\n---\na: {\n", []string{`f:3: not valid YAML: did not find expected node content; correct the syntax`}},
		{"two documents", "resources: []\n---\nresources: []\n", []string{`f:2: second YAML document in one file; put it into a file of its own`}},
		{"an alias, which may be a bomb", header + "- &a {x: 1}\n- *a\n", []string{`f:3: YAML aliases are not supported; write the value out`}},
		{"an unknown alias, without its name", "resources: *secret\n", []string{`f:1: not valid YAML: unknown alias; correct the syntax`}},
		{"a file too deep", header + "- " + strings.Repeat("[", 300) + strings.Repeat("]", 300), []string{`f:2: nested more than 200 levels deep; flatten it`}},
		{"a file too big", strings.Repeat("#", maxFileSize+1), []string{`f:1: file is larger than 16 MiB; split it`}},
		{"a list at the top", "- a\n", []string{`f:1: not a DiscoveryResponse: a mapping is expected; put the resources into a list under "resources:"`}},
		{
			"a bare resource, field by field", "\"@type\": x\nname: web\n",
			[]string{
				`f:1: not a DiscoveryResponse: unknown field "@type"; put the resources into a list under "resources:"`,
				`f:2: not a DiscoveryResponse: unknown field "name"; put the resources into a list under "resources:"`,
			},
		},
		{"resources without a value", "resources:\n", []string{`f:1: "resources" is empty; write "resources: []" if it is to hold none`}},
		{"a DiscoveryResponse without resources", "nonce: x\n", []string{`f:1: not a DiscoveryResponse: no "resources"; write "resources: []" if it is to hold none`}},
		{"resources twice", "resources: []\nresources: []\n", []string{`f:2: "resources" is set twice; join the lists`}},
		{"resources that are no list", "resources:\n  web: {}\n", []string{`f:2: "resources" is not a list; start each resource with "- "`}},
		{"a resource that is no mapping", header + "- web\n", []string{`f:2: resource is not a mapping; give it an "@type" and fields`}},
		{"the same fault twice in a line, once", "resources: [web, web]\n", []string{`f:1: resource is not a mapping; give it an "@type" and fields`}},
		{"a resource without type", header + "- name: web\n", []string{`f:2: resource has no "@type"; add one such as type.googleapis.com/envoy.config.cluster.v3.Cluster`}},
		{
			"an unknown type", header + "- name: web\n  \"@type\": type.googleapis.com/envoy.Klaster\n",
			[]string{`f:3: unknown "@type" "type.googleapis.com/envoy.Klaster"; correct the type's name`},
		},
		{
			"a type that is no resource", header + "- \"@type\": type.googleapis.com/envoy.config.core.v3.Node\n  id: x\n",
			[]string{`f:2: envoy.config.core.v3.Node is not an xDS resource type known here: pass a Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, ScopedRouteConfiguration, VirtualHost, Secret, TypedExtensionConfig or Runtime, as its generated Go type; correct or remove it`},
		},
		{
			"a resource without name", header + `- "@type": type.googleapis.com/envoy.config.listener.v3.Listener` + "\n",
			[]string{`f:2: a listener has no name: set one, since proxies ask for it by name; correct or remove it`},
		},
		{
			"faults of several resources", header + cluster + "  name: a\n  x: 1\n" + cluster + "  name: b\n  connect_timeout: soon\n" + cluster + "  name: c\n",
			[]string{
				`f:4: unknown field "x"; correct its name or remove it`,
				`f:7: value is not a duration; write seconds such as "1.5s"`,
			},
		},
		{"a number for a text", header + cluster + "  name: 5\n", []string{`f:3: field name: value is not a text; put it in quotes`}},
		{"a text for a number", header + cluster + "  name: a\n\n  per_connection_buffer_limit_bytes: many\n", []string{`f:5: field value: value is not of type uint32; correct it`}},
		{"a list for a mapping", header + cluster + "  name: a\n  load_assignment:\n  - x\n", []string{`f:5: value is of another kind (mapping, list or scalar) than the field; correct it`}},
		{"an unknown word for an enum", header + cluster + "  name: a\n  type: EDSS\n", []string{`f:4: field type: value is not of type enum; correct it`}},
		{"a field twice", header + cluster + "  name: a\n  name: b\n", []string{`f:4: field "name" is set twice; remove one`}},
		{"a type twice", header + "  " + strings.TrimSpace(cluster) + "\n    \"@type\": x\n", []string{`f:3: "@type" is set twice; remove one`}},
		{"two of a oneof", header + cluster + "  name: a\n  type: EDS\n  cluster_type: {name: x}\n", []string{`f:5: field "cluster_type" and another one of envoy.config.cluster.v3.Cluster.cluster_discovery_type are set; keep one`}},
		{"an own tag", header + cluster + "  name: !mine a\n", []string{`f:3: unknown YAML tag; remove it`}},
		{"a wrong tag", header + cluster + "  name: !!int a\n", []string{`f:3: value does not fit its YAML tag; remove the tag`}},
		{"a mapping as a field's name", header + cluster + "  ? {a: b}\n  : c\n", []string{`f:3: a field's name must be a plain text; correct the syntax`}},
		{
			"all broken rules of a resource, at their fields' lines",
			header + cluster + "  connect_timeout: -1s\n  name: ''\n  circuitBreakers:\n    perHostThresholds:\n    - {}\n    - priority: 9\n",
			[]string{
				`f:3: connect_timeout: value must be greater than 0s; correct it`,
				`f:4: name: value length must be at least 1 runes; correct it`,
				`f:8: circuitBreakers.perHostThresholds[1].priority: value must be one of the defined enum values; correct it`,
			},
		},
		{
			"a missing field, at its message's line", header + `- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration` + "\n  name: r\n  virtual_hosts:\n  - name: h\n",
			[]string{`f:5: virtual_hosts[0].domains: value must contain at least 1 item(s); correct it`},
		},
		{
			"broken rules in packed messages",
			fmt.Sprintf(deepListener, "codec_type: AUTO", "strict_check_headers: [no-such-header]"),
			[]string{
				`f:9: filter_chains[0].filters[0].typed_config.stat_prefix: value length must be at least 1 runes; correct it`,
				`f:18: filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.strict_check_headers[0]: value must be in list [x-envoy-upstream-rq-timeout-ms x-envoy-upstream-rq-per-try-timeout-ms x-envoy-max-retries x-envoy-retry-grpc-on x-envoy-retry-on]; correct it`,
			},
		},
		{
			"an unknown field in a packed message", fmt.Sprintf(deepListener, "stat_prefix: x", "strict: true"),
			[]string{`f:18: unknown field "strict"; correct its name or remove it`},
		},
		{
			"an unknown packed type", strings.ReplaceAll(fmt.Sprintf(deepListener, "stat_prefix: x", ""), "v3.Router", "v4.Router"),
			[]string{`f:17: unknown "@type" "type.googleapis.com/envoy.extensions.filters.http.router.v4.Router"; correct the type's name`},
		},
		{
			"a packed message without type", header + cluster + "  name: a\n  typed_extension_protocol_options:\n    x:\n      y: z\n",
			[]string{`f:6: message has no "@type"; add one`},
		},
		{
			"a packed type twice", header + cluster + "  name: a\n  typed_extension_protocol_options:\n    x:\n      '@type': a/google.protobuf.Any\n      '@type': b\n",
			[]string{`f:7: "@type" is set twice; remove one`},
		},
		{"a map's key twice", header + cluster + "  name: a\n  metadata: {filter_metadata: {a: {x: 1,\n    x: 2}}}\n", []string{`f:5: key "x" is set twice; remove one`}},
		{"a type that is none", header + "- \"@type\": Cluster\n", []string{`f:2: "@type" is not the name of a type; write one such as type.googleapis.com/envoy.config.cluster.v3.Cluster`}},
		{"bytes that are not UTF-8", header + "# caf\xe9\n", []string{`f:2: not UTF-8 text; save the file as UTF-8`}},
		{"a control character", header + "- \x01\n", []string{`f:2: control character; remove it`}},
		{"a tab in the indentation", header + "\t- a\n", []string{`f:2: not valid YAML: found character that cannot start any token; correct the syntax`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := parseFile("f", []byte(tt.data))
			if diff := gocmp.Diff(tt.want, lines(errs, "./")); diff != "" {
				t.Errorf("parseFile(%.400q) (-want +got):\n%s", tt.data, diff)
			}
		})
	}
}

func TestParseFileRefusesJSON(t *testing.T) {
	tests := []struct {
		name string
		data string
		want []string
	}{
		{"an empty file", "", []string{`f.json:1: not valid JSON: unexpected end of JSON input; correct the syntax`}},
		{"a cut file", "{\n\"resources\": [\n", []string{`f.json:2: not valid JSON: unexpected end of JSON input; correct the syntax`}},
		{"a comma too many", "{\n\"resources\": [],\n}\n", []string{`f.json:3: not valid JSON: invalid character '}' looking for beginning of object key string; correct the syntax`}},
		{"YAML", "resources: []\n", []string{`f.json:1: not valid JSON: invalid character 'r' looking for beginning of value; correct the syntax`}},
		{"a second text", "{}\n{}\n", []string{`f.json:2: not valid JSON: invalid character '{' after top-level value; correct the syntax`}},
		{"bytes that are not UTF-8", "{\n\"\xff\": 1}", []string{`f.json:2: not UTF-8 text; save the file as UTF-8`}},
		{"a file too deep", strings.Repeat("[", 300) + strings.Repeat("]", 300), []string{`f.json:1: nested more than 200 levels deep; flatten it`}},
		{"a file much too deep", strings.Repeat("[", 1<<20), []string{`f.json:1: not valid JSON: invalid character '[' exceeded max depth; correct the syntax`}},
		{"a list at the top", "[\n]", []string{`f.json:1: not a DiscoveryResponse: a mapping is expected; put the resources into a list under "resources:"`}},
		{
			"faults of fields, at their lines",
			strings.ReplaceAll(twoResources, `"connectTimeout": "1.5s"`, "\n\"connectTimeout\": \"-1s\",\n\"lb_policy\": 99"),
			[]string{
				`f.json:5: connectTimeout: value must be greater than 0s; correct it`,
				`f.json:6: lb_policy: value must be one of the defined enum values; correct it`,
			},
		},
		{
			"a field twice",
			strings.ReplaceAll(twoResources, `"connectTimeout": "1.5s"`, "\n\"name\": \"x\""),
			[]string{`f.json:5: field "name" is set twice; remove one`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := parseFile("f.json", []byte(tt.data))
			if diff := gocmp.Diff(tt.want, lines(errs, "./")); diff != "" {
				t.Errorf("parseFile(%.400q) (-want +got):\n%s", tt.data, diff)
			}
		})
	}
}
