package loopback

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An address refuses until somebody listens there, and again after that.
func TestReserve(t *testing.T) {
	reserved, err := Reserve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, reserved)
	for range 2 {
		listener, err := net.Listen("tcp", reserved)
		if err != nil {
			t.Fatalf("listening on a reserved address: %v", err)
		}
		connection, err := net.Dial("tcp", reserved)
		if err != nil {
			t.Fatal(err)
		}
		_ = connection.Close()
		_ = listener.Close()
		refuses(t, reserved)
	}
}

// As long as it is reserved, neither a listener on port 0 gets it, be it of all
// interfaces, nor a connection that goes out. The sockets may have this port only.
func TestNobodyElseGetsIt(t *testing.T) {
	ctx, release := context.WithCancel(t.Context())
	defer release()
	reserved, err := Reserve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	only := onlyPort(t, reserved)
	config, dialer := net.ListenConfig{Control: only}, net.Dialer{Control: only}
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		if listener, err := config.Listen(ctx, "tcp4", address); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening on %s: %v, %v; want %v", address, listener, err, syscall.EADDRINUSE)
		}
	}
	if connection, err := dialer.DialContext(ctx, "tcp4", server.Addr().String()); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("connecting: %v, %v; want %v", connection, err, syscall.EADDRNOTAVAIL)
	}
}

func refuses(t *testing.T, address string) {
	t.Helper()
	if connection, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("connecting to %s: %v, %v; want %v", address, connection, err, syscall.ECONNREFUSED)
	}
}

// onlyPort leaves a socket one port to choose from, that of the address.
func onlyPort(t *testing.T, address string) func(string, string, syscall.RawConn) error {
	t.Helper()
	const ipLocalPortRange = 51 // IP_LOCAL_PORT_RANGE of ip(7): the highest port, and the lowest
	port := int(netip.MustParseAddrPort(address).Port())
	return func(_, _ string, socket syscall.RawConn) error {
		var err error
		if failed := socket.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipLocalPortRange, port<<16|port)
		}); failed != nil {
			return failed
		}
		if errors.Is(err, syscall.ENOPROTOOPT) {
			t.Skip("IP_LOCAL_PORT_RANGE is of Linux 6.3 and later")
		}
		return err
	}
}
