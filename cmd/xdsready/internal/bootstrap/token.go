package bootstrap

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	injectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// tokenSecret is the secret that holds the token. As a static secret Envoy would
// read it once, so it always has a file of its own.
const tokenSecret = "xdsready-token"

// newFilters returns the HTTP filters of the cluster that leads to the control
// plane: those that send the token with each stream, and none without a token.
// Envoy's own gRPC client is an HTTP client, so filters work for xDS streams too.
// A stream that is open keeps the token that it began with.
func (t TLS) newFilters() ([]*hcmv3.HttpFilter, error) {
	if t.TokenFile == "" {
		return nil, nil
	}
	generic, err := packed(&genericv3.Generic{Credential: t.follow(tokenSecret), HeaderValuePrefix: "Bearer "})
	if err != nil {
		return nil, err
	}
	injector, err := packed(&injectorv3.CredentialInjector{
		Credential: &corev3.TypedExtensionConfig{Name: "envoy.http.injected_credentials.generic", TypedConfig: generic},
		Overwrite:  true,
	})
	if err != nil {
		return nil, err
	}
	codec, err := packed(&codecv3.UpstreamCodec{})
	if err != nil {
		return nil, err
	}
	return []*hcmv3.HttpFilter{
		newFilter("envoy.filters.http.credential_injector", injector),
		newFilter("envoy.filters.http.upstream_codec", codec), // what ends every chain towards a server
	}, nil
}

func newFilter(name string, config *anypb.Any) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}}
}

func (t TLS) token() *tlsv3.GenericSecret { return &tlsv3.GenericSecret{Secret: file(t.TokenFile)} }
