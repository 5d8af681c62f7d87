package admission

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
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

func TestARefusedProxyComesBackOnANewConnection(t *testing.T) {
	for _, tc := range []struct {
		name            string
		tls, unwrapped  bool
		wantConnections int64
	}{
		{name: "plain", wantConnections: 2},
		{name: "TLS", tls: true, wantConnections: 2},
		{name: "without the listener the refusal works and the connection stays", unwrapped: true, wantConnections: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := rigOptions{unwrapped: tc.unwrapped}
			var pki *pki
			if tc.tls {
				pki = newPKI(t)
				o.serverTLS = pki.server()
			}
			r, addr := loopback(t, o)
			cc := dial(t, addr, pki.client())
			ctx := context.Background()

			_, err := openStream(t, ctx, cc).Recv()
			wantRefused(t, err)
			if !tc.unwrapped {
				cc.WaitForStateChange(ctx, connectivity.Ready)
			}
			_, err = openStream(t, ctx, cc).Recv()
			wantRefused(t, err)

			if got := r.accepted.Load(); got != tc.wantConnections {
				t.Errorf("the client made %d connections, want %d", got, tc.wantConnections)
			}
		})
	}
}

func TestTheStatusArrivesBeforeTheClose(t *testing.T) {
	_, addr := loopback(t, rigOptions{})
	const workers, rounds = 10, 20
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for range rounds {
				cc := dial(t, addr, nil)
				_, err := openStream(t, context.Background(), cc).Recv()
				wantRefused(t, err)
				cc.WaitForStateChange(context.Background(), connectivity.Ready) // closed by the server
				_ = cc.Close()
			}
		})
	}
	running.Wait()
}

func TestOnlyEnvoysServicesAreGated(t *testing.T) {
	inBubble(t, rigOptions{}, func(t *testing.T, _ *rig, dial func() *grpc.ClientConn) {
		ctx := context.Background()
		cc := dial()
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

func TestAConnectionIsClosedOnlyWhenNoOtherCallNeedsIt(t *testing.T) {
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig, dial func() *grpc.ClientConn) {
		cc := dial()
		ctx, endWatch := context.WithCancel(context.Background())
		watch, err := healthpb.NewHealthClient(cc).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a stream on a connection that is to be closed is refused too
			_, err := openStream(t, context.Background(), cc).Recv()
			wantRefused(t, err)
			time.Sleep(2 * closeLinger) // the bubble's time
			if got := cc.GetState(); got != connectivity.Ready {
				t.Fatalf("the connection is %v while a health watch runs, want READY", got)
			}
		}
		endWatch()
		time.Sleep(2 * closeLinger)
		if got := cc.GetState(); got != connectivity.Idle {
			t.Errorf("the connection is %v after the last call, want IDLE", got)
		}
		synctest.Wait()
		r.admission.conns.mu.Lock()
		defer r.admission.conns.mu.Unlock()
		if got := len(r.admission.conns.byAddr); got != 0 {
			t.Errorf("%d closed connections are still known", got)
		}
	})
}

func TestAConnectionStaysIfTheGateOpensBeforeItsClose(t *testing.T) {
	handle := func(s adsStream) error { <-s.Context().Done(); return nil }
	inBubble(t, rigOptions{handle: handle}, func(t *testing.T, r *rig, dial func() *grpc.ClientConn) {
		cc := dial()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := openStream(t, ctx, cc).Recv()
		wantRefused(t, err)
		r.open()
		openStream(t, ctx, cc)
		time.Sleep(2 * closeLinger)
		if got := cc.GetState(); got != connectivity.Ready {
			t.Errorf("the connection of an admitted stream is %v, want READY", got)
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
			inBubble(t, rigOptions{Options: Options{Mode: tc.mode}}, func(t *testing.T, r *rig, dial func() *grpc.ClientConn) {
				cc := dial()
				if tc.opened {
					r.open()
				}
				r.drain()
				_, err := openStream(t, context.Background(), cc).Recv()
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
	inBubble(t, o, func(t *testing.T, r *rig, dial func() *grpc.ClientConn) {
		_, err := openStream(t, context.Background(), dial()).Recv()
		wantRefused(t, err)
		if got := strings.Join(seen, " "); got != "first auth" {
			t.Errorf("interceptors seen before the refusal: %q, want first auth", got)
		}
	})
}

func TestANilRegistryIsAnOpenGate(t *testing.T) {
	for _, mode := range []Mode{Refuse, Hold} {
		a, err := New(nil, Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.pass(context.Background(), nil); err != nil {
			t.Errorf("%v: got %v, want admission", mode, err)
		}
	}
}

func TestAnAdmittedStreamReachesItsHandler(t *testing.T) {
	inBubble(t, rigOptions{}, func(t *testing.T, r *rig, dial func() *grpc.ClientConn) {
		r.open()
		if _, err := openStream(t, context.Background(), dial()).Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the handler's own end (EOF)", err)
		}
	})
}

func TestALongReasonIsCut(t *testing.T) {
	reg := ready.New("inputs")
	reg.Tier("inputs").Signal("endpoints")
	reg.Tier("inputs").Fail("endpoints", errors.New(strings.Repeat("ä", maxReason)))
	a, err := New(reg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := status.Convert(a.pass(context.Background(), nil)).Message()
	if len(text) > maxReason+len("…") || !strings.HasSuffix(text, "…") {
		t.Errorf("the refusal has %d bytes and ends in %q, want %d and …", len(text), text[len(text)-10:], maxReason)
	}
}
