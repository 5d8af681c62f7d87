package admission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// Node is who a proxy says it is: what decides its node group. A control plane
// that uses Options.Authorize must not derive the group from anything else in
// the message, such as the node's locality, which nobody has checked.
type Node struct {
	ID      string // node.id
	Cluster string // node.cluster

	metadata string // "key\x00value\x00" of each string in node.metadata, sorted
}

// Metadata returns the string that node.metadata has under key, and "" if it
// has none. Values that are no strings are not read.
func (n Node) Metadata(key string) string {
	parts := strings.Split(n.metadata, "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		if parts[i] == key {
			return parts[i+1]
		}
	}
	return ""
}

// same reports whether a later message means the same node. It need not repeat
// the metadata.
func (n Node) same(later Node) bool {
	return later.ID == n.ID && later.Cluster == n.Cluster && (later.metadata == "" || later.metadata == n.metadata)
}

// String names the node in messages; both parts are the client's own words and
// are therefore quoted and cut.
func (n Node) String() string { return fmt.Sprintf("%.200q (cluster %.200q)", n.ID, n.Cluster) }

var (
	errNoNode    = errors.New("the first message must name a node")
	errOtherNode = errors.New("a stream may not change its node")
)

// nodeOf returns the node of a message and whether it has one. It reads by
// reflection: this package imports no Envoy types, so that it fits programs
// that have any version of them.
func nodeOf(message any) (node Node, present bool) {
	m, ok := message.(proto.Message)
	if !ok {
		return Node{}, false
	}
	r := m.ProtoReflect()
	field := r.Descriptor().Fields().ByName("node")
	if field == nil || field.Message() == nil || field.Cardinality() == protoreflect.Repeated || !r.Has(field) {
		return Node{}, false
	}
	n := r.Get(field).Message()
	return Node{ID: stringField(n, "id"), Cluster: stringField(n, "cluster"), metadata: stringsOf(n)}, true
}

// stringsOf returns the strings of a node's metadata.
func stringsOf(n protoreflect.Message) string {
	field := n.Descriptor().Fields().ByName("metadata")
	if field == nil || field.Message() == nil || field.Cardinality() == protoreflect.Repeated || !n.Has(field) {
		return ""
	}
	metadata, ok := n.Get(field).Message().Interface().(*structpb.Struct)
	if !ok {
		return ""
	}
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(metadata.GetFields())) {
		text, ok := metadata.GetFields()[key].GetKind().(*structpb.Value_StringValue)
		if ok && !strings.Contains(key+text.StringValue, "\x00") {
			all.WriteString(key + "\x00" + text.StringValue + "\x00")
		}
	}
	return all.String()
}

// stringField returns a field of a message, and "" if it has no such string.
func stringField(m protoreflect.Message, name protoreflect.Name) string {
	field := m.Descriptor().Fields().ByName(name)
	if field == nil || field.Kind() != protoreflect.StringKind || field.Cardinality() == protoreflect.Repeated {
		return ""
	}
	return m.Get(field).String()
}

// authorize asks Options.Authorize whether the peer of ctx may be served as
// node, and returns the status that ends the call if not.
func (a *Admission) authorize(ctx context.Context, node Node) error {
	if a.options.Authorize == nil {
		return nil
	}
	if node == (Node{}) {
		return a.deny(node, errNoNode)
	}
	if err := a.options.Authorize(ctx, node); err != nil {
		return a.deny(node, err)
	}
	return nil
}

// authorizePeer asks Options.Peer whether the peer of ctx may be any node, and
// returns the status that ends the call if not.
func (a *Admission) authorizePeer(ctx context.Context) error {
	if a.options.Peer == nil {
		return nil
	}
	if err := a.options.Peer(ctx); err != nil {
		a.metrics.refuse(unauthorized)
		return status.Error(codes.PermissionDenied, cut("xdsready: the peer is refused: "+err.Error()))
	}
	return nil
}

// deny counts a refusal and returns its status.
func (a *Admission) deny(node Node, why error) error {
	a.metrics.refuse(unauthorized)
	return status.Error(codes.PermissionDenied, cut(fmt.Sprintf("xdsready: node %v is refused: %v", node, why)))
}
