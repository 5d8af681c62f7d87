// Package loopback reserves TCP addresses of the loopback interface for programs
// that tests start.
package loopback

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// Reserve returns an address that refuses connections until a program listens
// there, and that the system gives to nobody else before ctx ends: not to a
// listener on port 0, nor to a connection that goes out.
//
// A socket is bound to it and does not listen. Linux lets another one listen
// beside it where both have SO_REUSEADDR, which Go, Envoy and most servers set.
func Reserve(ctx context.Context) (string, error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	context.AfterFunc(ctx, func() { _ = syscall.Close(socket) })
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	bound, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return "", fmt.Errorf("a socket of IPv4 is bound to %T", name)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(bound.Addr), uint16(bound.Port)).String(), nil
}

// Address is Reserve for a test, until it ends.
func Address(tb testing.TB) string {
	tb.Helper()
	free, err := Reserve(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return free
}
