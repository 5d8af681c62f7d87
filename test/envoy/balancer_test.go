package envoy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// balancer is one address in front of several replicas, as a ClusterIP is: each
// new connection goes to the next one, the first to the first.
type balancer struct {
	address     string
	connections atomic.Int64
}

func startBalancer(t *testing.T, replicas ...string) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{address: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed below
			}
			next := int(b.connections.Add(1)-1) % len(replicas)
			running.Go(func() { join(from, replicas[next]) })
		}
	})
	t.Cleanup(func() { // after the Envoys, which were started later
		_ = listener.Close()
		running.Wait()
	})
	return b
}

// join copies both ways between a connection and a replica until one side ends.
func join(from net.Conn, replica string) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", replica)
	if err != nil {
		return // the replica is gone: so is the connection
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(from, to) // an error is the connection's end
		_ = from.Close()
	})
	_, _ = io.Copy(to, from)
	_ = to.Close()
	back.Wait()
}
