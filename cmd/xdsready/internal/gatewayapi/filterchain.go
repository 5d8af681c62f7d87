package gatewayapi

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Limits for connections from anywhere, as Envoy's documentation advises for a
// proxy at the edge.
const (
	bufferLimit       = 32 << 10
	concurrentStreams = 100
	streamWindow      = 64 << 10
	connectionWindow  = 1 << 20
)

// addTLSInspector lets Envoy choose a filter chain by the name that a client
// asks for.
func addTLSInspector(l *listenerv3.Listener) error {
	inspector, err := anypb.New(&inspectorv3.TlsInspector{})
	if err != nil {
		return err
	}
	l.ListenerFilters = []*listenerv3.ListenerFilter{{
		Name:       "envoy.filters.listener.tls_inspector",
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: inspector},
	}}
	return nil
}

// filterChain returns the filter chain for a listener.
func (p port) filterChain(s *site) (*listenerv3.FilterChain, error) {
	manager, err := p.connectionManager(p.tableName(s))
	if err != nil {
		return nil, err
	}
	chain := &listenerv3.FilterChain{
		Name: p.tableName(s),
		Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: manager},
		}},
	}
	if p.secure {
		if s.hostname != anyHost {
			chain.FilterChainMatch = &listenerv3.FilterChainMatch{ServerNames: []string{s.hostname}}
		}
		chain.TransportSocket, err = s.tlsSocket()
	}
	return chain, err
}

// connectionManager returns the filter that speaks HTTP. Paths are normalized
// before they are matched, so that a route cannot be got round by writing its
// path in another way.
func (p port) connectionManager(table string) (*anypb.Any, error) {
	router, err := anypb.New(&routerv3.Router{})
	if err != nil {
		return nil, err
	}
	return anypb.New(&hcmv3.HttpConnectionManager{
		StatPrefix: p.name(),
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
			Rds: &hcmv3.Rds{RouteConfigName: table, ConfigSource: ads()},
		},
		HttpFilters: []*hcmv3.HttpFilter{{
			Name:       "envoy.filters.http.router",
			ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: router},
		}},
		UseRemoteAddress:             wrapperspb.Bool(true),
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT,
		UpgradeConfigs:               []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        wrapperspb.UInt32(concurrentStreams),
			InitialStreamWindowSize:     wrapperspb.UInt32(streamWindow),
			InitialConnectionWindowSize: wrapperspb.UInt32(connectionWindow),
		},
	})
}

// tlsSocket terminates TLS with the listener's certificates, which come by SDS.
func (s *site) tlsSocket() (*corev3.TransportSocket, error) {
	common := &tlsv3.CommonTlsContext{AlpnProtocols: []string{"h2", "http/1.1"}}
	for _, secret := range s.certificates {
		common.TlsCertificateSdsSecretConfigs = append(common.TlsCertificateSdsSecretConfigs,
			&tlsv3.SdsSecretConfig{Name: secretName(secret), SdsConfig: ads()})
	}
	tls, err := anypb.New(&tlsv3.DownstreamTlsContext{CommonTlsContext: common})
	if err != nil {
		return nil, err
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: tls},
	}, nil
}
