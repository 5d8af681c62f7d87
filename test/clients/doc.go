// Package clients proves that xDS clients other than Envoy run on the config of
// pkg/xds: gRPC's own in Go, Node.js and Python. They differ from Envoy in what
// the order of publishing rests on: each subscribes to every resource by name,
// to a cluster only after a route has named it, and acknowledges at once. A
// server that waited for them as it waits for Envoy would wait for ever.
//
// The tests need what `make clients` fetches, besides node and python3. Without
// that they fail, except with SKIP_CLIENTS=1.
package clients
