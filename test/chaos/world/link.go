package world

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// link is the network in front of one replica: its address never changes, and
// it can be paused and reset.
type link struct {
	listener net.Listener
	target   string // address of the replica
	running  sync.WaitGroup
	pushed   atomic.Int64

	mu          sync.Mutex // guards what follows
	connections map[*net.TCPConn]struct{}
	open        chan struct{} // closed while the link is not paused
}

// newLink listens on an address for connections to target.
func newLink(ctx context.Context, address, target string) (*link, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, target: target, connections: map[*net.TCPConn]struct{}{}, open: make(chan struct{})}
	close(l.open)
	l.running.Go(func() { l.accept(ctx) })
	return l, nil
}

// pause lets nothing through until resume: no bytes, and no end of a connection.
func (l *link) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

// resume ends a pause.
func (l *link) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.open)
}

// reset resets all connections, on both sides.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for connection := range l.connections {
		reset(connection)
	}
}

// close ends the link. It must not be paused.
func (l *link) close() {
	_ = l.listener.Close()
	l.reset()
	l.running.Wait()
}

func (l *link) accept(ctx context.Context) {
	for {
		accepted, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		if from, ok := accepted.(*net.TCPConn); ok {
			l.running.Go(func() { l.join(ctx, from) })
		}
	}
}

// join copies both ways between a proxy's connection and the replica until one
// side ends. A replica that is not there resets the connection, as its machine
// would.
func (l *link) join(ctx context.Context, from *net.TCPConn) {
	l.passing()
	dialed, err := new(net.Dialer).DialContext(ctx, "tcp", l.target)
	if err != nil {
		reset(from)
		return
	}
	to, ok := dialed.(*net.TCPConn)
	if !ok {
		reset(from)
		return
	}
	defer l.track(from, to)()
	var back sync.WaitGroup
	back.Go(func() { l.copy(from, to, &l.pushed) })
	l.copy(to, from, new(atomic.Int64))
	back.Wait()
}

// track has the connections in the set of those to reset, until the returned
// function closes them.
func (l *link) track(connections ...*net.TCPConn) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, connection := range connections {
		l.connections[connection] = struct{}{}
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, connection := range connections {
			delete(l.connections, connection)
			_ = connection.Close()
		}
	}
}

// copy copies one way until an end, which it passes on.
func (l *link) copy(to, from *net.TCPConn, count *atomic.Int64) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.passing()
		if n > 0 {
			count.Add(int64(n))
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			_, _ = to.Close(), from.Close() // the other direction ends as well
			return
		}
	}
}

// passing waits while the link is paused.
func (l *link) passing() {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	<-open
}

// reset closes a connection with a RST.
func reset(connection *net.TCPConn) {
	_ = connection.SetLinger(0)
	_ = connection.Close()
}
