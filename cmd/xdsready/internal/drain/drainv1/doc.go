// Package drainv1 is the protocol of `xdsready drain`: drain.proto, and what
// `make generate` makes of it.
package drainv1
