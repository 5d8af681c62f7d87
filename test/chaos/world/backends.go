package world

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// Backends are HTTP servers of this process that answer each request with 200.
type Backends struct {
	host      string
	addresses []string
	servers   []*http.Server // changed by the events, of which one at a time is about a backend
}

// StartBackends starts count of them on free ports of a host.
func StartBackends(host string, count int) (*Backends, error) {
	b := &Backends{host: host, servers: make([]*http.Server, count)}
	for number := range count {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, err
		}
		b.addresses = append(b.addresses, listener.Addr().String())
		b.serve(number, listener)
	}
	return b, nil
}

// serve serves one backend until stop.
func (b *Backends) serve(number int, listener net.Listener) {
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, number) // an error means that the client has gone
	})}
	b.servers[number] = server
	go func() { _ = server.Serve(listener) }() // ends with Shutdown, in stop
}

// stop ends a backend: no request is cut short, and no other is taken.
func (b *Backends) stop(ctx context.Context, number int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return b.servers[number].Shutdown(ctx)
}

// Away stops a backend for a time, and returns when it is back.
func (b *Backends) Away(ctx context.Context, number int, d time.Duration) error {
	if err := b.stop(ctx, number); err != nil {
		return err
	}
	sleep(ctx, d)
	listener, err := net.Listen("tcp", b.addresses[number])
	if err != nil {
		return err
	}
	b.serve(number, listener)
	return nil
}

// Close stops all backends, though ctx may have ended.
func (b *Backends) Close(ctx context.Context) {
	for number := range b.servers {
		_ = b.stop(ctx, number)
	}
}

// Ports are those of the backends, by number.
func (b *Backends) Ports() []int {
	var ports []int
	for _, address := range b.addresses {
		_, text, _ := strings.Cut(address, ":")
		port, _ := strconv.Atoi(text)
		ports = append(ports, port)
	}
	return ports
}

// Number is that of the backend at an address, or verdict.None.
func (b *Backends) Number(address string) int {
	for number, known := range b.addresses {
		if known == address {
			return number
		}
	}
	return verdict.None
}
