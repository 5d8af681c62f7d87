package cache

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestNewResourceTypes(t *testing.T) {
	untested := make(map[string]bool)
	for _, typeURL := range AllTypes() {
		untested[typeURL] = true
	}
	for _, tt := range []struct {
		message proto.Message
		typeURL string
		kind    string
	}{
		{&clusterv3.Cluster{Name: "n"}, resourcev3.ClusterType, "cluster"},
		{assignment("n"), resourcev3.EndpointType, "load assignment"},
		{&listenerv3.Listener{Name: "n"}, resourcev3.ListenerType, "listener"},
		{&routev3.RouteConfiguration{Name: "n"}, resourcev3.RouteType, "route table"},
		{&routev3.ScopedRouteConfiguration{Name: "n"}, resourcev3.ScopedRouteType, "scoped route"},
		{&routev3.VirtualHost{Name: "n"}, resourcev3.VirtualHostType, "virtual host"},
		{secret("n", "k"), resourcev3.SecretType, "secret"},
		{&corev3.TypedExtensionConfig{Name: "n"}, resourcev3.ExtensionConfigType, "extension config"},
		{&runtimev3.Runtime{Name: "n"}, resourcev3.RuntimeType, "runtime layer"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			delete(untested, tt.typeURL)
			r := resource(t, tt.message)
			if r.TypeURL() != tt.typeURL || r.Name() != "n" {
				t.Errorf("type and name = %s, %s, want %s, n", r.TypeURL(), r.Name(), tt.typeURL)
			}
			if got, want := r.String(), tt.kind+` "n"`; got != want {
				t.Errorf("String() = %s, want %s", got, want)
			}
			decoded, err := r.Any().UnmarshalNew()
			if err != nil || !proto.Equal(decoded, tt.message) || !proto.Equal(r.Message(), tt.message) {
				t.Errorf("Any() holds %v (%v), Message() is %v, want %v", decoded, err, r.Message(), tt.message)
			}
			again, err := NewResourceFromAny(r.Any())
			if err != nil || !again.Equal(r) {
				t.Errorf("NewResourceFromAny(Any()) = %v, %v, want the same resource", again.Version(), err)
			}
		})
	}
	if len(untested) > 0 {
		t.Errorf("AllTypes() has types that no row makes: %v", untested)
	}
}

func TestTTL(t *testing.T) {
	for _, tt := range []struct {
		name      string
		ttl, want time.Duration
	}{
		{"is kept", time.Minute, time.Minute},
		{"zero is for ever", 0, 0},
		{"less than zero is for ever", -time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plain := resource(t, staticCluster("c"))
			timed := plain.WithTTL(tt.ttl)
			if timed.TTL() != tt.want || plain.TTL() != 0 {
				t.Errorf("WithTTL(%v).TTL() = %v, want %v; the original has %v, want 0s", tt.ttl, timed.TTL(), tt.want, plain.TTL())
			}
			if timed.Equal(plain) != (tt.want == 0) {
				t.Errorf("WithTTL(%v) equals the original: %t", tt.ttl, timed.Equal(plain))
			}
		})
	}
}

func TestNewResourceRefuses(t *testing.T) {
	broken := &anypb.Any{TypeUrl: resourcev3.ClusterType, Value: []byte{0xff}}
	tooDeep := pack(t, staticCluster("c"))
	for range maxAnyDepth {
		tooDeep = pack(t, tooDeep)
	}
	for _, tt := range []struct {
		name    string
		message proto.Message
		want    string
	}{
		{"nothing at all", nil, "cannot make a resource of a nil message"},
		{"a message that proxies do not ask for", &corev3.Node{}, "envoy.config.core.v3.Node is not an xDS resource type known here: pass a Cluster, "},
		{"a dynamic message, whose references could not be read", dynamicpb.NewMessage((&clusterv3.Cluster{}).ProtoReflect().Descriptor()), "as its generated Go type"},
		{"no name", &clusterv3.Cluster{}, "a cluster has no name: set one, since proxies ask for it by name"},
		{"a typed nil", (*clusterv3.Cluster)(nil), "a cluster has no name"},
		{"an Any that is not what it says", &corev3.TypedExtensionConfig{Name: "x", TypedConfig: broken}, `extension config "x": typed_config: cannot decode the Any as envoy.config.cluster.v3.Cluster: `},
		{"Anys without end", &corev3.TypedExtensionConfig{Name: "x", TypedConfig: tooDeep}, "more than 64 Anys nested in each other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewResource(tt.message)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), tt.want) {
				t.Errorf("NewResource = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNewResourceFromAnyRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packed *anypb.Any
		want   string
	}{
		{"a type that is not linked", &anypb.Any{TypeUrl: "type.googleapis.com/no.Such"}, `cannot unpack "type.googleapis.com/no.Such": `},
		{"bytes that do not decode", &anypb.Any{TypeUrl: resourcev3.ClusterType, Value: []byte{0xff}}, "cannot unpack"},
		{"no Any", nil, "cannot unpack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewResourceFromAny(tt.packed)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewResourceFromAny = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// nested holds a map in an Any in an Any, as filters with metadata do.
func nested(tb testing.TB, anyOf func(proto.Message) *anypb.Any) *corev3.TypedExtensionConfig {
	tb.Helper()
	fields := make(map[string]any)
	for i := range 10 {
		fields[fmt.Sprint("key", i)] = i
	}
	values, err := structpb.NewStruct(fields)
	if err != nil {
		tb.Fatal(err)
	}
	inner := &corev3.Metadata{TypedFilterMetadata: map[string]*anypb.Any{"a": anyOf(values), "b": anyOf(values)}}
	return &corev3.TypedExtensionConfig{Name: "x", TypedConfig: anyOf(inner)}
}

func TestNestedAnysGetOneVersion(t *testing.T) {
	versions, encodings := make(map[Version]bool), make(map[string]bool)
	for range 200 {
		m := nested(t, anyNew(t))
		outer, err := deterministic.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		encodings[string(outer)] = true
		versions[resource(t, m).Version()] = true
	}
	if len(versions) != 1 {
		t.Errorf("200 builds gave %d versions, want 1", len(versions))
	}
	if len(encodings) < 2 {
		t.Error("a deterministic outer Marshal gave one encoding, so this test shows nothing")
	}
}

func TestNewResourceLeavesItsArgumentAlone(t *testing.T) {
	reversed := func(m proto.Message) *anypb.Any {
		packed := pack(t, m)
		if _, ok := m.(*structpb.Struct); ok {
			packed.Value = reverseFields(packed.Value)
		}
		return packed
	}
	m := nested(t, reversed)
	before := proto.Clone(m)
	r := resource(t, m)
	if !proto.Equal(m, before) {
		t.Error("NewResource changed the message")
	}
	m.Name = "changed"
	if proto.Equal(r.Message(), m) {
		t.Error("a later change of the message reached the resource")
	}
	if !r.Equal(resource(t, nested(t, anyNew(t)))) {
		t.Error("another order of map entries made another resource")
	}
}

// reverseFields puts the top-level fields of an encoding in reverse order.
func reverseFields(encoded []byte) (reversed []byte) {
	for len(encoded) > 0 {
		_, _, n := protowire.ConsumeField(encoded)
		reversed = append(bytes.Clone(encoded[:n]), reversed...)
		encoded = encoded[n:]
	}
	return reversed
}

func TestAnyThatStaysAsItIs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packed *anypb.Any
	}{
		{"of a type that is not linked", &anypb.Any{TypeUrl: "type.googleapis.com/no.Such", Value: []byte{0xff, 1, 2}}},
		{"empty, which Envoy takes for a config without settings", &anypb.Any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &corev3.TypedExtensionConfig{Name: "x", TypedConfig: tt.packed}
			if r := resource(t, m); !proto.Equal(r.Message(), m) {
				t.Errorf("Message() = %v, want %v", r.Message(), m)
			}
		})
	}
}

func TestResourceNeverShowsContent(t *testing.T) {
	const key = "BEGIN-PRIVATE-KEY"
	r := resource(t, secret("tls", key))
	snapshot := build(t, Options{}, secret("tls", key))
	kept := build(t, Options{Previous: build(t, Options{}, tlsCluster(t, "c", "tls", ads()), secret("tls", key))}, tlsCluster(t, "c", "tls", ads()))
	var store Store
	store.Set("group", snapshot)
	var log bytes.Buffer
	for _, value := range []any{
		r, &r, []Resource{r}, map[string]Resource{"r": r}, struct{ inner Resource }{r}, struct{ Outer *Resource }{&r},
		snapshot, kept, kept.Withheld(), Diff(nil, snapshot), &store,
	} {
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "value", value)
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&log, format+"\n", value)
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(encoded)
	}
	for _, form := range []string{
		key, fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), strings.Trim(fmt.Sprintf("%d", []byte(key)), "[]"),
		base64.StdEncoding.EncodeToString([]byte(key)),
	} {
		if strings.Contains(log.String(), form) {
			t.Errorf("the key is shown as %q in:\n%s", form, log.String())
		}
	}
	if !strings.Contains(log.String(), `secret \"tls\"`) {
		t.Errorf("the name is not shown in:\n%s", log.String())
	}
}

func TestKind(t *testing.T) {
	if got := Kind("type.googleapis.com/no.Such"); got != "other" {
		t.Errorf("Kind of an unknown type = %q, want other", got)
	}
}

// FuzzNewResourceFromAny: whatever arrives is refused with an error, or becomes
// a resource that is what it is made of: made of its own encoding, it is the
// same.
func FuzzNewResourceFromAny(f *testing.F) {
	for _, m := range []proto.Message{
		staticCluster("c"),
		secret("s", "key"),
		nested(f, anyNew(f)),
		tlsCluster(f, "c", "tls", api()),
		routeTable("r", toCluster("c")),
		listener(f, "l", rds("r", ads())),
	} {
		packed := pack(f, m)
		f.Add(packed.GetTypeUrl(), packed.GetValue())
	}
	f.Fuzz(func(t *testing.T, typeURL string, value []byte) {
		given := &anypb.Any{TypeUrl: typeURL, Value: value}
		before := proto.Clone(given)
		r, err := NewResourceFromAny(given)
		if !proto.Equal(given, before) {
			t.Fatal("NewResourceFromAny changed its argument")
		}
		if err != nil {
			return
		}
		again, err := NewResourceFromAny(r.Any())
		if err != nil || !again.Equal(r) {
			t.Fatalf("NewResourceFromAny(%v.Any()) = %v, %v, want the same resource", r, again, err)
		}
		if diff := cmp.Diff(r.references, again.references, cmp.AllowUnexported(references{}, target{}, key{})); diff != "" {
			t.Fatalf("%v made of its own encoding refers to others (-want +got):\n%s", r, diff)
		}
		if _, err := Build([]Resource{r}, Options{}); err != nil {
			t.Fatalf("Build of %v = %v", r, err)
		}
	})
}
