package kubernetes

import (
	"bytes"
	"context"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/test/process"
)

// A proxy that may have its own Gateway's key asks for another's, on every
// stream that could carry it, under every type and as another node.
func TestNobodyGetsAnothersKey(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	connection, err := grpc.NewClient(v.xds, grpc.WithTransportCredentials(v.transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), process.Limit)
	t.Cleanup(cancel)
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+v.token(t, "mine", audience))
	all, secrets := discovery.NewAggregatedDiscoveryServiceClient(connection), secretservice.NewSecretDiscoveryServiceClient(connection)
	mine, other := ofGateway(v.group("mine")).node, ofGateway(v.group("other")).node
	// The last name is answered, so that the end of the answers is known.
	names := []string{v.group("other"), "*", v.group("mine")}

	t.Run("delta", func(t *testing.T) {
		var requests []*discovery.DeltaDiscoveryRequest
		for _, typeURL := range slices.Concat(whole, named) {
			requests = append(requests, &discovery.DeltaDiscoveryRequest{Node: mine, TypeUrl: typeURL, ResourceNamesSubscribe: names})
		}
		last := requests[len(requests)-1:]
		v.wantOnlyMine(t, true, exchange(t, requests, func() (grpc.BidiStreamingClient[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse], error) {
			return all.DeltaAggregatedResources(ctx)
		}))
		v.wantOnlyMine(t, true, exchange(t, last, func() (grpc.BidiStreamingClient[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse], error) {
			return secrets.DeltaSecrets(ctx)
		}))
	})
	t.Run("sotw", func(t *testing.T) {
		var requests []*discovery.DiscoveryRequest
		for _, typeURL := range slices.Concat(whole, named) {
			requests = append(requests, &discovery.DiscoveryRequest{Node: mine, TypeUrl: typeURL, ResourceNames: names})
		}
		last := requests[len(requests)-1:]
		v.wantOnlyMine(t, true, exchange(t, requests, func() (grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse], error) {
			return all.StreamAggregatedResources(ctx)
		}))
		v.wantOnlyMine(t, true, exchange(t, last, func() (grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse], error) {
			return secrets.StreamSecrets(ctx)
		}))
		for _, nodes := range [][]*corev3.Node{{other}, {mine, other}} {
			var requests []*discovery.DiscoveryRequest
			for _, node := range nodes {
				requests = append(requests, &discovery.DiscoveryRequest{Node: node, TypeUrl: last[0].GetTypeUrl(), ResourceNames: names[:1]})
			}
			v.wantOnlyMine(t, false, exchange(t, requests, func() (grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse], error) {
				return secrets.StreamSecrets(ctx)
			}))
		}
	})
	t.Run("fetch", func(t *testing.T) {
		response, err := secrets.FetchSecrets(ctx, &discovery.DiscoveryRequest{Node: mine, ResourceNames: names})
		t.Logf("FetchSecrets: %v", err)
		v.wantOnlyMine(t, err == nil, func() (proto.Message, error) { return response, err })
	})
}

// exchange sends requests on a new stream and returns what receives its answers.
func exchange[Request, Response any, Message interface {
	*Response
	proto.Message
}](t *testing.T, requests []*Request, open func() (grpc.BidiStreamingClient[Request, Response], error)) func() (proto.Message, error) {
	t.Helper()
	stream, err := open()
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range requests {
		if stream.Send(request) != nil {
			break // refused: receiving tells why
		}
	}
	return func() (proto.Message, error) {
		response, err := stream.Recv()
		return Message(response), err
	}
}

// wantOnlyMine receives until the key of the proxy's own Gateway has come or, if
// it does not get that, until the stream has ended. No answer may have the other's.
func (v *vault) wantOnlyMine(t *testing.T, gets bool, receive func() (proto.Message, error)) {
	t.Helper()
	for {
		message, err := receive()
		if err != nil {
			if gets {
				t.Errorf("before its own key came: %v", err)
			}
			return
		}
		answer, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(answer, v.pairs["other"].key) {
			t.Errorf("the other Gateway's key was sent: %v", message)
		}
		if bytes.Contains(answer, v.pairs["mine"].key) {
			if !gets {
				t.Error("a stream that should be refused was answered")
			}
			return
		}
	}
}
