package envoy

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3" // types of the cluster below
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"sigs.k8s.io/yaml"

	"github.com/xdsready/xdsready/pkg/xds"
)

// secureCluster speaks TLS and needs the secret "ca". It waits for it for a
// second only, so that a test sees what comes then.
var secureCluster = needing("secure", "ca")

// needing is a cluster that needs a secret.
func needing(cluster, secret string) string {
	return clusters(cluster) + `  transport_socket:
    name: envoy.transport_sockets.tls
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
      common_tls_context:
        validation_context_sds_secret_config:
          name: ` + secret + `
          sds_config: {ads: {}, initial_fetch_timeout: 1s, resource_api_version: V3}
`
}

// startSecureBackend returns the address of a backend that speaks TLS, and the
// secret "ca" that its certificate is checked with.
func startSecureBackend(t *testing.T) (address, ca string) {
	t.Helper()
	server := httptest.NewTLSServer(backendHandler)
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return strings.TrimPrefix(server.URL, "https://"), `resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: ca
  validation_context: {trusted_ca: {inline_string: ` + strconv.Quote(string(certificate)) + `}}
`
}

// withStatic returns the bootstrap with more resources of its own: of the kind
// "clusters" or "listeners".
func withStatic(t *testing.T, bootstrap, kind, file string) string {
	t.Helper()
	var whole map[string]map[string]any
	var more struct {
		Resources []map[string]any `json:"resources"`
	}
	if err := errors.Join(yaml.Unmarshal([]byte(bootstrap), &whole), yaml.Unmarshal([]byte(file), &more)); err != nil {
		t.Fatal(err)
	}
	static := whole["static_resources"]
	list, _ := static[kind].([]any)
	for _, resource := range more.Resources {
		delete(resource, "@type")
		list = append(list, resource)
	}
	static[kind] = list
	text, err := yaml.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A cluster that serves goes on when its secret disappears, and when it is
// changed to need one that does not exist; when that exists, it gets the change.
func TestFactServingClusterLosesItsSecret(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			address, ca := startSecureBackend(t)
			files := map[string]string{
				"listeners": listeners, "routes": routes("secure"),
				"clusters": secureCluster, "endpoints": endpoints("secure", address), "ca": ca,
			}
			o := startObserved(t, xds.Options{RemovalDelay: 100 * time.Millisecond})
			envoy := o.envoy(t, transport, files)
			stop := steadyTraffic(t, envoy)

			o.publish(t, parse(t, with(files, "ca", "")))
			never(t, "the cluster without its secret fails", time.Second, func() bool { return !envoy.serves() })
			files["clusters"] = needing("secure", "other")
			o.publish(t, parse(t, files))
			never(t, "the cluster with a missing secret fails", 2*time.Second, func() bool { return !envoy.serves() })

			place := o.now()
			files["other"] = strings.Replace(ca, "name: ca", "name: other", 1)
			o.publish(t, parse(t, files))
			sent := o.await(t, place, "the changed cluster", brings(resourcev3.ClusterType, "secure"))
			ack := o.await(t, place, "its ACK", answers(sent))
			if took := ack.at.Sub(sent.at); took > 900*time.Millisecond {
				t.Errorf("warm after %v: it waited for a secret that exists", took)
			}
			noFailures(t, stop)
		})
	}
}

// Names that Envoy asks for by itself, here those of its bootstrap, and that do
// not exist: the answer that there are none ends its wait at once.
func TestFactAbsentNamesAreAnswered(t *testing.T) {
	t.Parallel()
	o := startObserved(t, xds.Options{})
	o.publish(t, parse(t, whole(startBackend(t))))
	text := bootstrap(t, "--xds-address", o.address, "--transport", "delta")
	text = withStatic(t, text, "clusters", clusters("no-endpoints"))
	text = withStatic(t, text, "clusters", strings.Replace(needing("no-secret", "absent"), "initial_fetch_timeout: 1s, ", "", 1))
	envoy := startEnvoy(t, text, "all")
	took := eventually(t, "traffic through Envoy", envoy.serves)
	if took > quick {
		t.Errorf("traffic came after %v: Envoy has waited for what does not exist", took)
	}
	for typeURL, name := range map[string]string{resourcev3.EndpointType: "no-endpoints", resourcev3.SecretType: "absent"} {
		o.await(t, 0, "the request for "+name, asksFor(typeURL, name))
	}
}

// A route table that is absent is an empty one: the listener is there and
// answers 404, at its start and when it is changed.
func TestFactAbsentRoutes(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files, "--drain-time-s", "3")
			files["listeners.yaml"] = strings.Replace(listeners, "route_config_name: main", "route_config_name: absent", 1)
			o.publish(t, parse(t, files))
			took := eventually(t, "404", func() bool {
				code, _ := envoy.request()
				return code == http.StatusNotFound
			})
			if took > quick {
				t.Errorf("404 came after %v: the listener has waited", took)
			}
		})
	}
}

// Route tables that a listener of the bootstrap asks for need not be known to
// anybody: they are empty, not removed.
func TestFactUnknownRoutes(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			o := startObserved(t, xds.Options{})
			o.publish(t, parse(t, map[string]string{"clusters": clusters("backend")}))
			text := bootstrap(t, "--xds-address", o.address, "--transport", transport)
			envoy := startEnvoy(t, withStatic(t, text, "listeners", listeners), "all")
			took := eventually(t, "404", func() bool {
				code, _ := envoy.request()
				return code == http.StatusNotFound
			})
			if took > quick {
				t.Errorf("404 came after %v: the listener has waited", took)
			}
		})
	}
}

// The endpoints of a cluster in use that disappear are empty, not removed: only
// that takes them away.
func TestFactEndpointsDisappear(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			files := whole(startBackend(t))
			o := startObserved(t, xds.Options{})
			envoy := o.envoy(t, transport, files)
			delete(files, "endpoints.yaml")
			o.publish(t, parse(t, files))
			eventually(t, "503", func() bool {
				code, body := envoy.request()
				return code == http.StatusServiceUnavailable && strings.Contains(body, "no healthy upstream")
			})
		})
	}
}
