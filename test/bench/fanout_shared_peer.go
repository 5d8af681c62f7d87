package main

import (
	"context"
)

// newSharedFanout returns a server that encodes each resource once, as Istio
// does: all responses share the Anys, and gRPC encodes each response anew.
func newSharedFanout(l load) (*fanoutServer, error) {
	s := &plainServer{receive: receiveDecoded(l.Delta)}
	p := newPacker(l.Delta)
	return &fanoutServer{
		register: s.register,
		prepare: func(_ context.Context, e edition) (func() error, error) {
			packed, err := p.pack(e)
			a := newAnswers(
				func(group, typeURL string) any {
					return p.response(packed.version, typeURL, packed.groups[group][typeURL])
				},
				func() any { return p.change(packed) },
			)
			return func() error { s.publish(a); return nil }, err
		},
	}, nil
}
