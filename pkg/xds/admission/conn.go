package admission

import (
	"context"
	"net"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
)

// An interceptor cannot see its status leave: gRPC queues the trailers when the
// interceptor has returned, and another goroutine writes them. To close at once
// would swallow the text that names the pending tiers. So a connection that is
// to be closed is closed when something was written to it and then nothing more
// for closeLinger, unless that writer may be waiting for a processor; and after
// maxLinger in any case. The times are short because an Envoy whose first retry
// (after 0 to 0.5 s) still finds the connection is refused on it again.
const (
	closeLinger = 50 * time.Millisecond
	maxLinger   = time.Second
	// busy is how long it takes a goroutine that yields to go on where others
	// have to wait; where none do it takes about a microsecond.
	busy = time.Millisecond
)

// Listener wraps the listener of a server that has a's ServerOptions, so that a
// refusal closes the TCP connection: an Envoy behind one balanced address
// retries on the same connection for ever and reaches no other replica. With
// the connection closed it does in under a second.
//
// A connection is closed 50 ms after it was last told of a refusal, and after
// 1 s also if its proxy keeps asking; but not while a call is under way on it
// that was let through, such as a CA's or grpc.health's. Calls that are held on
// it end with it, because a proxy needs all of its streams in one place. If the
// gate opens first, and a gated call passes on it, the connection stays.
//
// The connection of a proxy that package xds moves to another replica is closed in
// the same way when its streams have ended.
//
// Pass the result to Serve itself. A listener around it must leave RemoteAddr
// as it is, as TLS does: the address value is how a call finds its connection.
// Refusals work without Listener, and under grpc's ServeHTTP, but close nothing.
func (a *Admission) Listener(lis net.Listener) net.Listener {
	return &listener{Listener: lis, table: &a.conns}
}

type listener struct {
	net.Listener
	table *connTable
}

// Accept returns connections that their calls are found by.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.table.add(c), nil
}

// connTable finds the connection of a call. gRPC tells a call the net.Addr that
// its connection's RemoteAddr returned, also through TLS; conn returns a
// pointer that is its own, so that equal addresses are the same connection.
type connTable struct {
	mu     sync.Mutex // guards byAddr; leaf lock
	byAddr map[net.Addr]*conn
}

// ownAddr makes an address of any other type than *net.TCPAddr unique.
type ownAddr struct{ net.Addr }

func (t *connTable) add(nc net.Conn) *conn {
	c := &conn{Conn: nc, table: t}
	switch addr := nc.RemoteAddr().(type) {
	case *net.TCPAddr: // programs look at the IP of a peer's *net.TCPAddr
		own := *addr
		c.addr = &own
	default:
		c.addr = &ownAddr{addr}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAddr == nil {
		t.byAddr = map[net.Addr]*conn{}
	}
	t.byAddr[c.addr] = c
	return c
}

func (t *connTable) remove(addr net.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byAddr, addr)
}

// of returns the connection of a call, and nil if it is not one of ours.
func (t *connTable) of(ctx context.Context) *conn {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	switch p.Addr.(type) {
	case *net.TCPAddr, *ownAddr: // another type might not even be comparable
	default:
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byAddr[p.Addr]
}

// conn is a connection that a refusal closes. A nil *conn stands for one that
// cannot be closed: its methods do nothing.
type conn struct {
	net.Conn
	// Set once.
	table *connTable
	addr  net.Addr

	mu      sync.Mutex // guards the following; leaf lock
	calls   int        // let through and not yet returned
	refused bool       // to be closed when calls is 0
	moved   bool       // so, and gated calls do not change it
	closed  bool
	closing *time.Timer // runs from then on, till closeAt; nil: does not run
	closeAt time.Time
	closeBy time.Time // no write moves closeAt beyond it
}

// RemoteAddr is what gRPC tells the calls on the connection.
func (c *conn) RemoteAddr() net.Addr { return c.addr }

// Write is called by gRPC, or by TLS, with all that the peer is told.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lingerLocked()
	return n, err
}

// Close is called by gRPC at the end of each connection.
func (c *conn) Close() error {
	c.table.remove(c.addr)
	c.mu.Lock()
	c.closed = true
	c.settleLocked()
	c.mu.Unlock()
	return c.Conn.Close()
}

// enter counts a call that was let through.
func (c *conn) enter() { c.update(func() { c.calls++ }) }

// enterAdmitted is enter for a call that was let through the gate, after which
// there is no reason to send the proxy elsewhere. It reports false, and does
// nothing, if the proxy was sent elsewhere and comes back before the connection is
// closed. (While another call keeps the connection open, there is no use in that.)
func (c *conn) enterAdmitted() (ok bool) {
	c.update(func() {
		if ok = !c.moved || c.calls > 0; ok {
			c.calls++
			c.refused, c.moved = false, false
		}
	})
	return ok || c == nil
}

// leave is called when a call that was let through returns.
func (c *conn) leave() { c.update(func() { c.calls-- }) }

// refuse is called when a call is refused, before its status is queued.
func (c *conn) refuse() { c.update(func() { c.refused = true }) }

// move is called when the last or any other call of a proxy that goes to another
// replica returns, before its status is queued.
func (c *conn) move() { c.update(func() { c.refused, c.moved = true, true }) }

func (c *conn) update(change func()) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.settleLocked()
}

// settleLocked starts or stops the timer as the other fields demand.
func (c *conn) settleLocked() {
	due := c.refused && c.calls == 0 && !c.closed
	switch {
	case due && c.closing == nil:
		c.closeBy = time.Now().Add(maxLinger)
		c.closeAt = c.closeBy
		c.closing = time.AfterFunc(maxLinger, c.expire)
	case !due && c.closing != nil:
		c.closing.Stop()
		c.closing = nil
	}
}

// lingerLocked sets the timer, if it runs, to closeLinger from now.
func (c *conn) lingerLocked() {
	if c.closing == nil {
		return
	}
	c.closeAt = time.Now().Add(closeLinger)
	if c.closeAt.After(c.closeBy) {
		c.closeAt = c.closeBy
	}
	c.closing.Reset(time.Until(c.closeAt))
}

// expire closes the connection, unless a call or a write came as the timer
// fired, or the process is too busy to tell.
func (c *conn) expire() {
	yielded := time.Now()
	runtime.Gosched()
	now := time.Now()

	c.mu.Lock()
	if now.Sub(yielded) >= busy && now.Before(c.closeBy) {
		c.lingerLocked()
	}
	due := c.closing != nil && !now.Before(c.closeAt)
	c.mu.Unlock()
	if due {
		_ = c.Close() // the peer may have closed it just before
	}
}
