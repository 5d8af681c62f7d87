package envoy

import (
	"encoding/json"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/test/loopback"
)

// rejected is a cluster that only Envoy finds fault with.
const rejected = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: rejected
  type: EDS
`

// typeStatus is what `xdsready status` tells of a type.
type typeStatus struct {
	Type, State, Version, Updated, NACK string
}

// status returns what `xdsready status` tells of the only proxy, by type.
func (c *command) status(t *testing.T, admin string) (state string, types map[string]typeStatus) {
	t.Helper()
	out, err := exec.Command(commandPath, "status", "--http-address", c.http, "--admin-address", admin, "--output", "json").Output()
	if err != nil {
		t.Fatalf("xdsready status: %v", err)
	}
	var page struct {
		Proxies []struct {
			State string
			Types []typeStatus
		}
	}
	if err := json.Unmarshal(out, &page); err != nil {
		t.Fatal(err)
	}
	types = map[string]typeStatus{}
	if len(page.Proxies) != 1 {
		return "", types
	}
	for _, typ := range page.Proxies[0].Types {
		types[typ.Type] = typ
	}
	return page.Proxies[0].State, types
}

// The status of a real Envoy: all types in sync; then a rejected cluster, in
// Envoy's words, which leaves the other types in sync; then all in sync again.
func TestStatusOfEnvoy(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			admin := loopback.Address(t)
			c := startServe(t, whole(startBackend(t)), "--admin-address", admin)
			envoy := startEnvoy(t, bootstrap(t, "--xds-address", c.xds, "--transport", transport), "all")
			eventually(t, "traffic through Envoy", envoy.serves)
			eventually(t, "SYNCED", func() bool {
				state, types := c.status(t, admin)
				for _, typ := range []string{"cluster", "load assignment", "listener", "route table"} {
					if types[typ].State != "SYNCED" || types[typ].Version == "" || types[typ].Updated == "" {
						return false
					}
				}
				return state == "SYNCED"
			})

			c.write(t, "rejected.yaml", rejected)
			eventually(t, "ERROR with Envoy's message", func() bool {
				state, types := c.status(t, admin)
				return state == "ERROR" && types["cluster"].State == "ERROR" && types["listener"].State == "SYNCED" &&
					strings.Contains(types["cluster"].NACK, "rejected: cannot create an EDS cluster without an EDS config")
			})

			c.write(t, "rejected.yaml", "resources: []")
			eventually(t, "SYNCED again", func() bool {
				state, types := c.status(t, admin)
				return state == "SYNCED" && types["cluster"].NACK == ""
			})
		})
	}
}

// keyWithoutChain breaks a rule, in whose name Envoy quotes it whole.
const keyWithoutChain = `{certificate_chain: {}, private_key: {inline_string: TOPSECRET}}`

// What Envoy quotes of a resource that it rejects is not passed on.
func TestRejectionsShowNoSecrets(t *testing.T) {
	const (
		withKey = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: with-key
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context: {tls_certificates: [` + keyWithoutChain + `]}
`
		withSecret = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: with-secret
  transport_socket:
    name: tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context:
        tls_certificate_sds_secret_configs: [{name: secret, sds_config: {ads: {}, resource_api_version: V3}}]
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: secret
  tls_certificate: ` + keyWithoutChain + `
`
	)
	for _, transport := range transports {
		for kind, config := range map[string]string{"cluster": withKey, "secret": withSecret} {
			t.Run(transport+"/"+kind, func(t *testing.T) {
				t.Parallel()
				var store cache.Store
				server, err := xds.New(nil, &store, xds.Options{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				snapshot, err := cache.Build(parse(t, map[string]string{"": config}), cache.Options{AfterInputs: true})
				if err != nil {
					t.Fatal(err)
				}
				store.Set(xds.AllGroup, snapshot)
				grpcServer := grpc.NewServer()
				server.Register(grpcServer)
				address := serve(t, grpcServer, nil, false, server.Run)
				startEnvoy(t, bootstrap(t, "--xds-address", address, "--transport", transport), "all")

				var message string
				eventually(t, "a rejection", func() bool {
					for _, p := range server.Proxies() {
						for _, typ := range p.Types {
							if cache.Kind(typ.TypeURL) == kind && typ.State == xds.Failed {
								message = typ.NACK
							}
						}
					}
					return message != ""
				})
				if strings.Contains(message, "TOPSECRET") || !strings.Contains(message, "TlsCertificateValidationError") {
					t.Errorf("the rejection is shown as %q, want the rule and not the key", message)
				}
			})
		}
	}
}
