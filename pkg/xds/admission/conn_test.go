package admission

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/pkg/xds/internal/moved"
)

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

			_, err := openStream(t.Context(), t, cc).Recv()
			wantRefused(t, err)
			if !tc.unwrapped {
				waitClosed(t, cc)
			}
			_, err = openStream(t.Context(), t, cc).Recv()
			wantRefused(t, err)

			if got := r.accepted.Load(); got != tc.wantConnections {
				t.Errorf("the client made %d connections, want %d", got, tc.wantConnections)
			}
		})
	}
}

// waitClosed waits until the server has closed the client's connection.
func waitClosed(t *testing.T, cc *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for state := cc.GetState(); state != connectivity.Idle; state = cc.GetState() {
		if !cc.WaitForStateChange(ctx, state) {
			t.Errorf("the connection is still %v %v after the refusal", state, patience)
			return
		}
	}
}

const crowd = 200

func TestEachOfManyProxiesIsToldBeforeItsConnectionCloses(t *testing.T) {
	_, addr := loopback(t, rigOptions{})
	var running sync.WaitGroup
	for range crowd {
		cc := dial(t, addr, nil)
		running.Go(func() {
			s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(cc).StreamAggregatedResources(t.Context())
			if err == nil {
				_, err = s.Recv()
			}
			wantRefused(t, err)
			waitClosed(t, cc)
		})
	}
	running.Wait()
}

func TestEachOfManyStreamsOfAConnectionIsToldBeforeItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{})
		cc := r.dial(t)
		var streams []clientStream
		for range crowd {
			streams = append(streams, openStream(t.Context(), t, cc))
		}
		for _, s := range streams {
			_, err := s.Recv()
			wantRefused(t, err)
		}
		time.Sleep(closeLinger)
		wantState(t, cc, connectivity.Idle)
	})
}

func TestTheCloseOfAConnection(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration // the first refusal
		every time.Duration // more refusals till then; 0: none
		want  connectivity.State
	}{
		{name: "not before the linger", after: closeLinger - 1, want: connectivity.Ready},
		{name: "after the linger", after: closeLinger, want: connectivity.Idle},
		{name: "each further refusal puts it off", after: 3 * closeLinger, every: closeLinger / 2, want: connectivity.Ready},
		{name: "which ends", after: maxLinger, every: closeLinger / 2, want: connectivity.Idle},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inMemory(t, rigOptions{})
				cc := r.dial(t)
				_, err := openStream(t.Context(), t, cc).Recv()
				wantRefused(t, err)
				refused := time.Now()
				for tc.every > 0 && time.Since(refused)+tc.every < tc.after {
					time.Sleep(tc.every)
					_, err := openStream(t.Context(), t, cc).Recv()
					wantRefused(t, err)
				}
				time.Sleep(tc.after - time.Since(refused))
				wantState(t, cc, tc.want)
			})
		})
	}
}

// wantState compares the state of a connection once the bubble is at rest.
func wantState(t *testing.T, cc *grpc.ClientConn, want connectivity.State) {
	t.Helper()
	synctest.Wait()
	if got := cc.GetState(); got != want {
		t.Errorf("the connection is %v, want %v", got, want)
	}
}

func TestAConnectionIsClosedOnlyWhenNoOtherCallNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{})
		cc := r.dial(t)
		ctx, endWatch := context.WithCancel(t.Context())
		watch, err := healthpb.NewHealthClient(cc).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a stream on a connection that is to be closed is refused too
			_, err := openStream(t.Context(), t, cc).Recv()
			wantRefused(t, err)
			time.Sleep(2 * maxLinger)
			wantState(t, cc, connectivity.Ready)
		}
		endWatch()
		time.Sleep(maxLinger)
		wantState(t, cc, connectivity.Idle)
		r.admission.conns.mu.Lock()
		defer r.admission.conns.mu.Unlock()
		if got := len(r.admission.conns.byAddr); got != 0 {
			t.Errorf("%d closed connections are still known", got)
		}
	})
}

func TestAConnectionStaysIfTheGateOpensBeforeItsClose(t *testing.T) {
	handle := func(s adsStream) error { <-s.Context().Done(); return nil }
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{handle: handle})
		cc := r.dial(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := openStream(ctx, t, cc).Recv()
		wantRefused(t, err)
		r.open()
		openStream(ctx, t, cc)
		time.Sleep(2 * maxLinger)
		wantState(t, cc, connectivity.Ready)
		cancel() // and with its stream ended it is as any other
		time.Sleep(2 * maxLinger)
		wantState(t, cc, connectivity.Ready)
	})
}

func TestHeldCallsEndWithTheirConnection(t *testing.T) {
	o := rigOptions{Options: Options{Mode: Hold, MaxHeld: 1}}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		cc := r.dial(t)
		held := openStream(t.Context(), t, cc)
		synctest.Wait()
		_, err := openStream(t.Context(), t, cc).Recv()
		wantRefused(t, err)
		if _, err := held.Recv(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the held stream of a refused proxy ended with %v, want the end of its connection", err)
		}
		synctest.Wait()
		if got := r.admission.queue.held(); got != 0 {
			t.Errorf("%d calls are held, want 0", got)
		}
	})
}

// odd is an address type that cannot be compared, as a listener may have.
type odd struct{ parts []string }

func (odd) Network() string { return "odd" }
func (odd) String() string  { return "somewhere" }

// peerOf is a connection of which only the peer's address matters.
type peerOf struct {
	net.Conn
	addr net.Addr
}

func (c peerOf) RemoteAddr() net.Addr { return c.addr }

func TestConnectionsWithEqualAddressesAreToldApart(t *testing.T) {
	for name, addr := range map[string]net.Addr{
		"TCP":              &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
		"another network":  &net.UnixAddr{Name: "@", Net: "unix"},
		"not comparable":   odd{parts: []string{"a"}},
		"no address known": nil,
	} {
		t.Run(name, func(t *testing.T) {
			of := func(table *connTable, addr net.Addr) *conn {
				return table.of(peer.NewContext(t.Context(), &peer.Peer{Addr: addr}))
			}
			var table connTable
			a, b := table.add(peerOf{addr: addr}), table.add(peerOf{addr: addr})
			for _, c := range []*conn{a, b} {
				if got := of(&table, c.RemoteAddr()); got != c {
					t.Errorf("of(%v) = %p, want %p", c.RemoteAddr(), got, c)
				}
			}
			if got := of(&table, addr); got != nil {
				t.Errorf("of(an address that did not come through the listener) = %p, want nil", got)
			}
			table.remove(a.RemoteAddr())
			if got := of(&table, a.RemoteAddr()); got != nil {
				t.Errorf("of(a removed connection) = %p, want nil", got)
			}
		})
	}
	if got := new(connTable).of(t.Context()); got != nil {
		t.Errorf("of(a context without peer) = %p, want nil", got)
	}
}

// The connection of a proxy that is moved closes behind its status, and the gate is
// open all the while. A stream that comes back on it before is refused.
func TestTheConnectionOfAMovedProxyIsClosed(t *testing.T) {
	handle := func(adsStream) error { return moved.Error("go elsewhere") }
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{handle: handle})
		r.open()
		cc := r.dial(t)
		for _, text := range []string{"go elsewhere", "this connection is closed"} {
			_, err := openStream(t.Context(), t, cc).Recv()
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), text) {
				t.Errorf("the stream ends with %v, want UNAVAILABLE and %q", err, text)
			}
		}
		time.Sleep(closeLinger)
		wantState(t, cc, connectivity.Idle)
	})
}

// Where another call keeps the connection open the proxy is let in again: to refuse
// it would leave it without config.
func TestAMovedProxyWhoseConnectionStaysIsLetIn(t *testing.T) {
	var calls atomic.Int64
	handle := func(s adsStream) error {
		if calls.Add(1) == 1 {
			return moved.Error("go elsewhere")
		}
		<-s.Context().Done()
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, rigOptions{handle: handle})
		r.open()
		cc := r.dial(t)
		ctx, cancel := context.WithCancel(t.Context())
		watch, err := healthpb.NewHealthClient(cc).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := openStream(ctx, t, cc).Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("the stream ends with %v, want UNAVAILABLE", err)
		}
		openStream(ctx, t, cc)
		time.Sleep(2 * maxLinger)
		wantState(t, cc, connectivity.Ready)
		if got := calls.Load(); got != 2 {
			t.Errorf("%d streams were let in, want 2", got)
		}
		cancel()
	})
}
