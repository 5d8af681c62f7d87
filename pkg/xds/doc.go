// Package xds is the reference xDS server: it serves the snapshots of a
// cache.Store to the proxies of each node group, and its grpc.health.v1 status
// follows the gate of a ready.Registry.
//
//	cache.Store ──snapshot──▶ Server ──responses──▶ proxies of the group
//	ready.Registry ──ready──▶ grpc.health.v1
//
// It speaks ADS and the per-type services, state of the world (SotW) and delta.
// The gate itself is package admission, which stands in front of this or of any
// other xDS server.
//
// What is sent when is decided by package publish, a state machine per stream;
// this package moves the messages. What it guarantees: no route ever points to a
// cluster that the proxy does not have warm while its old target exists, a proxy
// that comes back with the current versions is sent no resource, and a proxy of an
// unknown node group is held, never answered with emptiness. Each resource is
// encoded once for all proxies, and nothing that proxies share is locked while a
// response is built.
//
// Programs that serve from a go-control-plane cache use package gocontrolplane.
package xds
