package cache

import (
	// Linked in so that what they refer to is found in resources that arrive
	// packed, whatever else the program links. The TLS transport sockets are
	// linked by the package of Secret.
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)
