package dir

import (
	"fmt"
	"strings"
	"testing"
)

// A private key of two lines, as long as real ones.
const (
	keyLine1 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
	keyLine2 = "MzEfYyjiWA4R4SHfu1aNBLKYFlvGkMDAbZ3ZAqTH4pPmBeFj9aTqVn3U2bDgKpRr"
)

// revealed is how much of the key a fault may repeat by chance.
const revealed = 8

// leaks returns the part of the key that text repeats, or "".
func leaks(text string) string {
	for _, line := range []string{keyLine1, keyLine2} {
		for i := range len(line) - revealed {
			if part := line[i : i+revealed+1]; strings.Contains(text, part) {
				return part
			}
		}
	}
	return ""
}

// withKey are files with a key in it, each in the form of its name.
var withKey = map[string]string{
	"secret.yaml": `resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: tls
  tls_certificate:
    private_key:
      inline_string: |
        -----BEGIN PRIVATE KEY-----
        ` + keyLine1 + `
        ` + keyLine2 + `
        -----END PRIVATE KEY-----
`,
	"cluster.yaml": `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: web
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context:
        tls_certificates:
        - private_key:
            inline_string: "` + keyLine1 + `\n` + keyLine2 + `"
`,
	"secret.json": `{"resources": [{
  "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
  "name": "token",
  "generic_secret": {"secret": {"inline_string": "` + keyLine1 + keyLine2 + `"}}
}]}
`,
}

// Whatever single slip is made in a file with a key, no fault repeats the key.
func TestKeysAreNotInFaults(t *testing.T) {
	for name, text := range withKey {
		t.Run(name, func(t *testing.T) {
			if _, errs := parseFile(name, []byte(text)); errs != nil {
				t.Fatalf("parseFile: %v; want a good file", errs)
			}
			faults := 0
			for i := 0; i < len(text); i += 3 { // all bytes take 10 s
				slips := []string{text[:i], text[:i] + text[i+1:]}
				for _, inserted := range []string{": ", "\n", `"`, `":"`, "'", "*", "&", "!", "{", "[", "- ", "%", "\x00", "\xff"} {
					slips = append(slips, text[:i]+inserted+text[i:])
				}
				for _, slip := range slips {
					_, errs := parseFile(name, []byte(slip))
					faults += len(errs)
					for _, err := range errs {
						if part := leaks(err.Error()); part != "" {
							t.Fatalf("fault of\n%s\nreveals %q: %v", slip, part, err)
						}
					}
				}
			}
			if faults < len(text) {
				t.Errorf("%d faults of %d bytes: the slips are too harmless", faults, len(text))
			}
		})
	}
}

// What one slip does not do: a key where a name, a type or another value is.
func TestMisplacedKeysAreNotInFaults(t *testing.T) {
	const (
		secret  = header + "- \"@type\": a/envoy.extensions.transport_sockets.tls.v3.Secret\n  name: s\n"
		cluster = header + "- \"@type\": a/envoy.config.cluster.v3.Cluster\n  name: c\n"
	)
	tests := []struct{ name, data, want string }{
		{"as a field of a DiscoveryResponse", "KEY: x\n", `f:1: not a DiscoveryResponse: unknown field; put the resources into a list under "resources:"`},
		{"as the file", "KEY\n", `f:1: not a DiscoveryResponse: a mapping is expected; put the resources into a list under "resources:"`},
		{"as a type", header + "- '@type': KEY\n", `f:2: "@type" is not the name of a type; write one such as type.googleapis.com/envoy.config.cluster.v3.Cluster`},
		{"as a field of a secret", secret + "  KEY: x\n", `f:4: unknown field; correct its name or remove it`},
		{"as a short field of a secret", secret + "  " + keyLine1[:20] + ": x\n", `f:4: unknown field; correct its name or remove it`},
		{"as a field of a cluster", cluster + "  KEY: x\n", `f:4: unknown field; correct its name or remove it`},
		{"as a packed type", cluster + "  typed_extension_protocol_options: {x: {'@type': KEY}}\n", `f:4: "@type" is not the name of a type; correct it`},
		{"as a packed type of a secret", secret + "  tls_certificate: {private_key_provider: {typed_config: {'@type': a.KEY}}}\n", `f:4: "@type" is not the name of a type; correct it`},
		{"as a map's key, twice", cluster + "  metadata: {filter_metadata: {x: {KEY: 1, KEY: 2}}}\n", `f:4: a key is set twice; remove one`},
		{"as a duration", cluster + "  connect_timeout: KEY\n", `f:4: value is not a duration; write seconds such as "1.5s"`},
		{"as a number", cluster + "  dns_refresh_rate: {seconds: KEY}\n", `f:4: value is of another kind (mapping, list or scalar) than the field; correct it`},
		{"as a word of an enum", cluster + "  type: KEY\n", `f:4: field type: value is not of type enum; correct it`},
		{"as bytes", secret + "  generic_secret: {secret: {inline_bytes: KEY*}}\n", `f:4: field inline_bytes: value is not of type bytes; correct it`},
		{"as a mapping", secret + "  tls_certificate: KEY\n", `f:4: value is of another kind (mapping, list or scalar) than the field; correct it`},
		{"of digits", secret + "  generic_secret: {secret: {inline_string: 112233445566}}\n", `f:4: field inline_string: value is not a text; put it in quotes`},
		{"of digits, as a packed type", cluster + "  typed_extension_protocol_options: {x: {'@type': 112233445566}}\n", `f:4: value does not fit the field; compare with Envoy's reference`},
		{"as an alias", secret + "  generic_secret: *KEY\n", `f:4: not valid YAML: unknown alias; correct the syntax`},
		{"as a tag", secret + "  generic_secret: !KEY x\n", `f:4: unknown YAML tag; remove it`},
		{"as a tag's handle", secret + "  generic_secret: !KEY!x x\n", `f:4: not valid YAML: found undefined tag handle; correct the syntax`},
		{"as a directive", "%KEY 1\n---\n", `f:1: not valid YAML: found unknown directive name; correct the syntax`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := parseFile("f", []byte(strings.ReplaceAll(tt.data, "KEY", keyLine1)))
			if got := fmt.Sprint(errs); got != tt.want {
				t.Errorf("parseFile(%q) = %s, want %s", tt.data, got, tt.want)
			}
			if part := leaks(fmt.Sprint(errs)); part != "" {
				t.Errorf("the fault reveals %q", part)
			}
		})
	}
}
