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
// What it guarantees: a proxy of an unknown node group is held, never answered
// with emptiness, and a group keeps its last snapshot while the store has it.
// What it does not do yet: order. The responses are those of go-control-plane's
// server and snapshot cache, which send a type as soon as it changes, so a
// proxy that swaps a cluster can see the route before the cluster.
package xds
