package redact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const rule = `Proto constraint validation failed (SecretValidationError.TlsCertificate: embedded message failed validation | ` +
	`caused by field: "specifier", reason: is required)`

func TestRejection(t *testing.T) {
	for _, test := range []struct{ name, message, want string }{
		{"nothing to hide", "Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config",
			"Error adding/updating cluster(s) bad: cannot create an EDS cluster without an EDS config"},
		{"Envoy 1.40, a secret", "goo.gle/debugstr   \nname: \"s\"\ntls_certificate {\n  private_key {\n    inline_string: \"TOPSECRET\"\n  }\n}\n: " + rule,
			"(resource not shown): " + rule},
		{"Envoy 1.40, two clusters", "Error adding/updating cluster(s) a: goo.gle/debugonly \ntls {\n  inline_string: \"TOPSECRET\"\n}\n: " + rule +
			", b: goo.gle/debugproto  \ntls {\n  inline_string: \"TOPSECRET\"\n}\n: " + rule,
			"Error adding/updating cluster(s) a: (resource not shown): " + rule + ", b: (resource not shown): " + rule},
		{"a dump that is cut off", "goo.gle/debugstr\nname: \"TOPSECRET\"\nmore: \"TOPS", "(resource not shown): "},
		{"an older Envoy", rule + ": name: \"s\"\ntls_certificate {\n  private_key {\n    inline_bytes: \"TOPSECRET\"\n  }\n}\n",
			rule + " (resource not shown)"},
		{"text on one line", `bad value in private_key { inline_string: "TOP\"SECRET" } of "s"`, `bad value in private_key { inline_string: (not shown) } of "s"`},
		{"JSON", `Unable to parse {"inlineString": "TOPSECRET"}`, `Unable to parse {"inlineString": (not shown)}`},
		{"PEM", "cannot load -----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY----- of s", "cannot load (not shown) of s"},
		{"too long", strings.Repeat("é", longestMessage), strings.Repeat("é", longestMessage/2) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Rejection(test.message)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
