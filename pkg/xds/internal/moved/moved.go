// Package moved says of a stream that it has ended so that its proxy goes to
// another replica.
package moved

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is what a handler returns for such a stream, and the reason in words. Package
// admission closes the connection then: an Envoy whose stream ends on a
// connection that lives opens the next one on it, so at the same replica.
type Error string

// Error returns the text of the status.
func (e Error) Error() string { return "xdsready: " + string(e) }

// GRPCStatus is what the proxy is told.
func (e Error) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Error()) }
