// Package peersv1 is the service that the replicas of one control plane offer
// each other, generated from peers.proto by `make generate`.
package peersv1
