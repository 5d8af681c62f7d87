package admission

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	clusterservicev3 "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/ready"
)

// wantRefused fails unless the stream ended with UNAVAILABLE and a text that
// names the pending check.
func wantRefused(t *testing.T, err error) {
	t.Helper()
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "inputs: endpoints") {
		t.Errorf("got %v, want UNAVAILABLE naming inputs: endpoints", err)
	}
}

func TestARefusalNamesWhatIsPending(t *testing.T) {
	reg := ready.NewWithOptions(ready.Options{Logger: slog.New(slog.DiscardHandler)}, "informers", "snapshot")
	reg.Tier("informers").Signal("endpoints")
	reg.Tier("informers").Signal("services")
	reg.Tier("informers").Fail("endpoints", errors.New("forbidden"))
	reg.Tier("snapshot").Snapshot("xds")
	a, err := New(reg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := status.Convert(a.pass(t.Context(), nil))
	if got.Code() != codes.Unavailable {
		t.Errorf("code %v, want UNAVAILABLE", got.Code())
	}
	for _, part := range []string{"informers: endpoints failed (forbidden)", "services pending", "snapshot: waits for informers"} {
		if !strings.Contains(got.Message(), part) {
			t.Errorf("the refusal has no %q: %s", part, got.Message())
		}
	}
}

func TestALongReasonIsCut(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a text that fits stays as it is":                               {strings.Repeat("a", maxReason), strings.Repeat("a", maxReason)},
		"a longer one ends in an ellipsis":                              {strings.Repeat("a", maxReason+1), strings.Repeat("a", maxReason) + "…"},
		"no character is cut in two, which gRPC and Envoy would reject": {"a" + strings.Repeat("ä", maxReason), "a" + strings.Repeat("ä", maxReason/2-1) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, cut(tc.text)); diff != "" {
				t.Errorf("cut (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnOpenGateAdmits(t *testing.T) {
	opened := newLine(Options{})
	opened.open()
	for _, tc := range []struct {
		name string
		reg  *ready.Registry
		mode Mode
	}{
		{name: "refuse, after opening", reg: opened.queue.reg, mode: Refuse},
		{name: "hold, after opening", reg: opened.queue.reg, mode: Hold},
		{name: "refuse, without a registry", mode: Refuse},
		{name: "hold, without a registry", mode: Hold},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := New(tc.reg, Options{Mode: tc.mode})
			if err != nil {
				t.Fatal(err)
			}
			called := false
			err = a.interceptStream(nil, &fakeServerStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: sotwADS},
				func(any, grpc.ServerStream) error { called = true; return nil })
			if err != nil || !called {
				t.Errorf("the handler was called: %t, error %v; want it called without one", called, err)
			}
		})
	}
}

func TestAnOpenGateCostsNoAllocation(t *testing.T) {
	l := newLine(Options{})
	l.open()
	a, err := New(l.queue.reg, Options{Mode: Hold})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	got := testing.AllocsPerRun(100, func() {
		c, err := a.enter(ctx, sotwADS)
		if err != nil {
			t.Fatal(err)
		}
		c.leave()
	})
	if got != 0 {
		t.Errorf("%v allocations per call, want 0", got)
	}
}

func TestOnlyEnvoysServicesAreGated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{})
		ctx := context.Background()
		cc := r.dial(t)
		if _, err := healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("health: %v", err)
		}
		info, err := reflectionpb.NewServerReflectionClient(cc).ServerReflectionInfo(ctx)
		if err != nil {
			t.Fatal(err)
		}
		list := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
		if err := info.Send(list); err != nil {
			t.Fatal(err)
		}
		if _, err := info.Recv(); err != nil {
			t.Errorf("reflection: %v", err)
		}
		// Not registered here, as a CA would be: its status is gRPC's, not ours.
		err = cc.Invoke(ctx, "/istio.v1.auth.IstioCertificateService/CreateCertificate",
			&healthpb.HealthCheckRequest{}, &healthpb.HealthCheckResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("another service: got %v, want UNIMPLEMENTED", err)
		}
	})
}

func TestADrainingReplicaRefusesInBothModes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		mode   Mode
		opened bool
	}{
		{name: "refuse, after opening", mode: Refuse, opened: true},
		{name: "hold, after opening", mode: Hold, opened: true},
		{name: "hold, never opened", mode: Hold},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inMemory(t, rigOptions{Options: Options{Mode: tc.mode}})
				cc := r.dial(t)
				if tc.opened {
					r.open()
				}
				r.drain()
				_, err := openStream(context.Background(), t, cc).Recv()
				if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "draining") {
					t.Errorf("got %v, want UNAVAILABLE: draining", err)
				}
			})
		})
	}
}

func TestInterceptorsComposeWithTheAdopters(t *testing.T) {
	var seen []string
	note := func(name string) grpc.StreamServerInterceptor {
		return func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			seen = append(seen, name)
			return handler(srv, ss)
		}
	}
	o := rigOptions{middleware: []grpc.ServerOption{
		grpc.StreamInterceptor(note("first")), grpc.ChainStreamInterceptor(note("auth")),
	}}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		_, err := openStream(context.Background(), t, r.dial(t)).Recv()
		wantRefused(t, err)
		if got := strings.Join(seen, " "); got != "first auth" {
			t.Errorf("interceptors seen before the refusal: %q, want first auth", got)
		}
	})
}

func TestUnaryCallsMeetTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{})
		clusters := clusterservicev3.NewClusterDiscoveryServiceClient(r.dial(t))
		_, err := clusters.FetchClusters(t.Context(), &discoveryv3.DiscoveryRequest{})
		wantRefused(t, err)
		r.open()
		if _, err := clusters.FetchClusters(t.Context(), &discoveryv3.DiscoveryRequest{}); err != nil {
			t.Errorf("with the gate open: %v", err)
		}
	})
}
