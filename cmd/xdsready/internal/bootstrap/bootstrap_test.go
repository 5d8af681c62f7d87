package bootstrap

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"sigs.k8s.io/yaml"
)

// variants are bootstraps that together have every part there is.
func variants() map[string]Options {
	mtls := TLS{CAFile: "ca.crt", CertFile: "tls.crt", KeyFile: "tls.key"}
	followed := mtls
	followed.SDSDir, followed.ServerName = "sds", "spiffe://example.org/control-plane"
	return map[string]Options{
		"local": {XDSAddresses: []string{"127.0.0.1:18000"}, AdminAddress: "127.0.0.1:9901"},
		"names": {XDSAddresses: []string{"xds.example.org:18000", "[fd00::1]:18000"}, AdminAddress: "[::1]:0",
			Transport: SotW, NodeID: "true", NodeCluster: "edge", TLS: mtls},
		"followed": {XDSAddresses: []string{"10.0.0.1:443", "10.0.0.2:443"}, TLS: followed},
		"token": {XDSAddresses: []string{"10.0.0.1:443"}, AdminAddress: "127.0.0.1:9901", ReadyAddress: "0.0.0.0:19000",
			TLS: TLS{CAFile: "ca.crt", TokenFile: "token", SDSDir: "sds"}},
	}
}

// The files are what people get: read them when they change.
func TestGolden(t *testing.T) {
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			b, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := YAML(b)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs; run go test -update and look at the change (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// Both forms say what was built.
func TestFormsAreEqual(t *testing.T) {
	for name, o := range variants() {
		want, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		text, err := YAML(want)
		if err != nil {
			t.Fatal(err)
		}
		fromYAML, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		fromJSON, err := JSON(want)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string][]byte{"YAML": fromYAML, "JSON": fromJSON} {
			got := &bootstrapv3.Bootstrap{}
			if err := protojson.Unmarshal(text, got); err != nil {
				t.Errorf("%s as %s: %v", name, form, err)
			} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, form, diff)
			}
		}
	}
}

// Every reason is printed for some bootstrap: none has lost its part.
func TestReasons(t *testing.T) {
	printed := map[reason]bool{}
	for _, o := range variants() {
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		text, err := YAML(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range reasons {
			first, _, _ := strings.Cut(r.text, "\n")
			printed[r] = printed[r] || bytes.Contains(text, []byte("# "+first+"\n"))
		}
	}
	for _, r := range reasons {
		if !printed[r] {
			t.Errorf("never printed: the reason for %s %s", r.path, r.value)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no address", func(o *Options) { o.XDSAddresses = nil }, "--xds-address is required"},
		{"no port", func(o *Options) { o.XDSAddresses = []string{"localhost"} }, `--xds-address: "localhost" is not host:port`},
		{"no host", func(o *Options) { o.XDSAddresses = []string{":18000"} }, "--xds-address: \":18000\" has no host"},
		{"port 0", func(o *Options) { o.XDSAddresses = []string{"a:0"} }, "--xds-address: \"a:0\" has no host or no port"},
		{"a large port", func(o *Options) { o.XDSAddresses = []string{"a:65536"} }, "--xds-address: \"a:65536\": the port"},
		{"an admin name", func(o *Options) { o.AdminAddress = "localhost:1" }, "--admin-address: \"localhost:1\" is not an IP address"},
		{"a malformed admin address", func(o *Options) { o.AdminAddress = "9901" }, "--admin-address: \"9901\" is not host:port"},
		{"a transport", func(o *Options) { o.Transport = "rest" }, "--transport: unknown transport \"rest\": use delta or sotw"},
		{"a certificate alone", func(o *Options) { o.TLS = TLS{CAFile: "a", CertFile: "a"} }, "--tls-cert and --tls-key belong together"},
		{"a key alone", func(o *Options) { o.TLS = TLS{CAFile: "a", KeyFile: "a"} }, "--tls-cert and --tls-key belong together"},
		{"a pair without a CA", func(o *Options) { o.TLS = TLS{CertFile: "a", KeyFile: "a"} }, "--tls-cert needs --tls-ca"},
		{"a server name without a CA", func(o *Options) { o.TLS.ServerName = "a" }, "--tls-server-name needs --tls-ca"},
		{"an SDS directory without a CA", func(o *Options) { o.TLS.SDSDir = "a" }, "--sds-dir needs --tls-ca"},
		{"a token without a CA", func(o *Options) { o.TLS = TLS{TokenFile: "a", SDSDir: "a"} }, "--token-file needs --tls-ca"},
		{"a token that is not followed", func(o *Options) { o.TLS = TLS{CAFile: "a", TokenFile: "a"} }, "--token-file needs --sds-dir"},
		{"a name for probes", func(o *Options) { o.ReadyAddress = "localhost:1" }, "--ready-address: \"localhost:1\" is not an IP address"},
		{"probes without an admin server", func(o *Options) { o.ReadyAddress, o.AdminAddress = "0.0.0.0:1", "" }, "--ready-address needs an --admin-address"},
		{"probes with an unknown admin port", func(o *Options) { o.ReadyAddress, o.AdminAddress = "0.0.0.0:1", "127.0.0.1:0" }, "--ready-address needs an --admin-address"},
		{"a directory that is not there", func(o *Options) { o.TLS = TLS{CAFile: "a", SDSDir: "/no/such"} }, "--sds-dir: open /no/such"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := variants()["local"]
			test.change(&o)
			var printed bytes.Buffer
			if err := Write(&printed, "yaml", o); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("Write: %v, want %q", err, test.want)
			}
			if printed.Len() > 0 {
				t.Error("something was printed")
			}
		})
	}
	if err := Write(&bytes.Buffer{}, "toml", variants()["local"]); err == nil || !strings.Contains(err.Error(), "--output: unknown format \"toml\"") {
		t.Errorf("Write as toml: %v", err)
	}
}

// The names in the control plane's certificate are matched by their kind, and
// only a DNS name may stand in the SNI.
func TestNames(t *testing.T) {
	endpoints := []address{{"10.0.0.1", 1}, {"xds.example.org", 1}}
	for _, test := range []struct {
		name, serverName, sni string
		want                  []string
	}{
		{"of the addresses", "", "xds.example.org", []string{"IP_ADDRESS 10.0.0.1", "DNS xds.example.org"}},
		{"a DNS name", "plane", "plane", []string{"DNS plane"}},
		{"a URI", "spiffe://a/b", "", []string{"URI spiffe://a/b"}},
		{"an address", "fd00::1", "", []string{"IP_ADDRESS fd00::1"}},
	} {
		tls := TLS{CAFile: "ca.crt", ServerName: test.serverName}
		names := tls.names(endpoints)
		var got []string
		for _, m := range tls.validation(names).GetMatchTypedSubjectAltNames() {
			got = append(got, m.GetSanType().String()+" "+m.GetMatcher().GetExact())
		}
		if !slices.Equal(got, test.want) || sni(names) != test.sni {
			t.Errorf("%s: %q with SNI %q, want %q with %q", test.name, got, sni(names), test.want, test.sni)
		}
	}
}
