package xds

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

const (
	// stuckAfter is how long a proxy may take to read one response. Until then it
	// costs that response's bytes, and nothing waits for it but its own stream.
	stuckAfter = 40 * time.Second
	// initialSync is how long a stream keeps its turn for its first config: one
	// that is slow goes on beside the next.
	initialSync = 2 * time.Second
)

// errStopped ends every stream when the server stops.
var errStopped = status.Error(codes.Unavailable, "xdsready: the control plane stops")

// stream is one xDS stream: it moves messages between grpc and its state
// machine, which decides what is sent.
//
// Three goroutines: serve, which is the handler; one that receives and ends with
// the stream, and while a response is written, one that sends it.
type stream struct {
	server  *Server
	grpc    grpc.ServerStream
	typeURL string // the only type; empty: all (ADS)
	delta   bool
	// inPieces: the grpc server has our codec.
	inPieces bool

	arrived chan arrival
	sent    chan error // how the send that is under way ended
	sending bool
	recalls chan recall      // what came of the question that is under way
	asking  bool             // there is one
	synced  bool             // it has had its first config, so it waits for no turn
	turn    *turn            // for that; nil: none is needed now
	slow    <-chan time.Time // ends the turn; nil: it has not come

	expires time.Time     // when it has reached its age
	leave   chan struct{} // closed when it is asked to leave
	asked   reason        // why; empty: it is not; guarded by streams.mu

	mu      sync.Mutex // guards the following, which only serve changes: status looks at it
	proxy   Proxy      // without what the machine knows
	machine *publish.Proxy
	edition *edition
	behind  time.Time // since when the proxy has not had the newest config; zero: it has
	leaving reason    // why it leaves at the next quiet point; empty: it stays
}

// ServeStream serves one stream of a service of package
// envoy.service.*.v3: of all types if typeURL is empty, else of that one. delta
// says which variant its messages are of. It returns when the stream ends, with
// the status to end it with. [Server.Register] makes it the handler of all
// services; a program that registers them itself calls it.
func (s *Server) ServeStream(typeURL string, delta bool, ss grpc.ServerStream) error {
	t := &stream{
		server: s, grpc: ss, typeURL: typeURL, delta: delta,
		arrived: make(chan arrival, burst), sent: make(chan error, 1),
		recalls: make(chan recall, 1), leave: make(chan struct{}),
	}
	t.inPieces = ss.Context().Value(hasCodec{}) != nil
	t.proxy = Proxy{Transport: SotW, Since: time.Now()}
	t.expires = s.expiry(t.proxy.Since)
	if delta {
		t.proxy.Transport = Delta
	}
	if from, ok := peer.FromContext(ss.Context()); ok {
		t.proxy.Address = from.Addr.String()
	}
	s.streams.add(t)
	defer s.streams.remove(t)
	go t.receiveAll()
	err := t.serve(ss.Context())
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// arrival is a message of the proxy, or why there are no more, which is how the
// stream's end is noticed.
type arrival struct {
	message proto.Message
	err     error
}

// burst is how many messages of a proxy wait for serve: those with which Envoy
// begins a stream, so that a thousand proxies that come at once cost one switch of
// goroutines each and not one for each message.
const burst = 4

// receiveAll hands over each message of the proxy. It ends with the stream,
// because grpc's RecvMsg does. Nearly all its life it waits in RecvMsg: it does
// nothing else itself, for its stack is what an idle stream costs most.
func (s *stream) receiveAll() {
	for {
		m := s.newRequest()
		err := s.grpc.RecvMsg(m)
		if err != nil {
			err = s.unreadable(err)
		}
		if !s.deliver(arrival{m, err}) || err != nil {
			return
		}
	}
}

// deliver hands over a message, and reports false if the stream has ended.
func (s *stream) deliver(a arrival) bool {
	select {
	case s.arrived <- a:
		return true
	case <-s.grpc.Context().Done():
		return false
	}
}

func (s *stream) serve(ctx context.Context) error {
	group, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.endTurn()
	leave := s.leave
	var stuck <-chan time.Time  // of the send under way
	var lastly <-chan time.Time // when a stream that was asked to leave does in any case
	for {
		s.recallNext(ctx)
		var come <-chan struct{}
		var timer <-chan time.Time
		switch {
		case s.sending:
		case !s.mayGo():
			if s.leaving != "" {
				return s.left()
			}
			come = s.turn.come
		case s.sendNext():
			stuck = time.After(stuckAfter)
		case s.rests() && s.leaving != "":
			return s.left()
		default:
			timer = s.timer()
		}
		select {
		case a := <-s.arrived:
			if err = a.err; err == nil {
				err = s.request(s.read(a.message))
			}
		case <-s.edition.replaced:
			s.follow(group)
		case r := <-s.recalls:
			s.recalled(group, r)
		case err = <-s.sent:
			s.sending, stuck = false, nil
		case <-come:
		case <-s.slow:
			s.synced = true
			s.endTurn()
		case <-timer:
		case <-leave:
			leave, lastly = nil, s.prepare()
		case <-lastly:
			err = s.left()
		case <-stuck:
			err = s.server.refuse(refusedStuck, codes.Unavailable, "the proxy has not read a response within %v", stuckAfter)
		case <-s.server.stopped:
			err = errStopped
		case <-ctx.Done(): // also where an interceptor ends the stream
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// begin takes the first request, waits until the group that it names is known,
// and makes the machine.
func (s *stream) begin(ctx context.Context) (*group, error) {
	var first request
	select {
	case a := <-s.arrived:
		if a.err != nil {
			return nil, a.err
		}
		first = s.read(a.message)
	case <-s.leave:
		s.prepare()
		return nil, s.left()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.server.stopped:
		return nil, errStopped
	}
	if first.node.GetId() == "" {
		return nil, s.server.refuse(refusedNode, codes.InvalidArgument, "the stream's first request has no node.id: set node.id in the proxy's bootstrap")
	}
	name := s.server.options.Group(first.node)
	s.mu.Lock()
	s.proxy.NodeID, s.proxy.Group = first.node.GetId(), name
	s.mu.Unlock()
	if err := s.server.unknown.await(s, name); err != nil {
		return nil, err
	}
	group := s.server.refresh(name)
	edition := group.current.Load()
	if edition == nil {
		return nil, status.Errorf(codes.Unavailable, "xdsready: node group %q is not known any more", name)
	}
	s.mu.Lock()
	s.edition = edition
	s.machine = publish.New(edition.target, publish.Options{
		Delta:         s.delta,
		Aggregated:    s.typeURL == "",
		Recall:        s.server.options.Recall != nil,
		Strict:        strings.HasPrefix(first.node.GetUserAgentName(), "gRPC"),
		RemovalDelay:  s.server.options.RemovalDelay,
		ListenerDrain: s.server.options.ListenerDrain,
		MaxRemovals:   s.server.options.MaxRemovals,
		HoldRemovals:  s.server.options.HoldRemovals,
	})
	s.mu.Unlock()
	return group, s.request(first)
}

// request works in a message.
func (s *stream) request(r request) error {
	if err := s.check(&r); err != nil {
		return err
	}
	if err := s.checkNames(r); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.machine.Request(r.Request, time.Now())
	s.mu.Unlock()
	if err != nil {
		return s.server.refuse(refusedNonce, codes.InvalidArgument, "%s", err.Error())
	}
	s.after()
	return nil
}

// follow goes over to the newest edition of the group.
func (s *stream) follow(group *group) {
	s.mu.Lock()
	s.synced = s.synced || s.machine.Need() == publish.Nothing
	s.edition = group.current.Load()
	s.machine.SetTarget(s.edition.target)
	s.mu.Unlock()
	s.after()
}

// after works in what an event has done: events for people, and how far behind
// the proxy is.
func (s *stream) after() {
	s.mu.Lock()
	events := s.machine.Events()
	switch current := s.machine.Current(); {
	case current:
		s.behind = time.Time{}
	case s.behind.IsZero():
		s.behind = time.Now()
	}
	s.mu.Unlock()
	for _, e := range events {
		s.server.report(s, e)
	}
}

// mayGo reports whether the stream may send: a proxy that needs something before
// it has been in sync waits for its turn.
func (s *stream) mayGo() bool {
	if s.turn == nil {
		need := s.need()
		if need == publish.Nothing || need == publish.Older && s.synced {
			return true
		}
		s.turn = s.server.pace.enter(need, s.proxy.Since)
	}
	select {
	case <-s.turn.come:
		if s.slow == nil {
			s.slow = time.After(initialSync)
			now := time.Now()
			s.server.pace.noticed(now.Sub(s.turn.let), now)
			s.server.metrics.waited(s.turn)
		}
		return true
	default:
		return false
	}
}

func (s *stream) need() publish.Need {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Need()
}

// rests reports whether the stream, which has nothing to send now, is not in the
// middle of a step either. It has had its turn if that is so for a while.
func (s *stream) rests() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.machine.Deadline()
	goesOn := !next.IsZero() && time.Until(next) < initialSync && s.machine.Need() != publish.Nothing
	if s.turn != nil && s.machine.Quiet() && !goesOn {
		s.synced = true
		s.endTurn()
	}
	return !s.machine.Switching()
}

// prepare notes that the stream was asked to leave, and returns what fires when
// it does in any case.
func (s *stream) prepare() (lastly <-chan time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = s.asked
	return time.After(QuietWithin)
}

// left returns the status of a stream that leaves.
func (s *stream) left() error {
	s.server.metrics.moved.WithLabelValues(string(s.leaving)).Inc()
	return texts[s.leaving]
}

func (s *stream) endTurn() {
	if s.turn != nil {
		s.server.pace.leave(s.turn)
		s.turn, s.slow = nil, nil
	}
}

// sendNext starts to send the next response and reports whether there was one.
func (s *stream) sendNext() bool {
	s.mu.Lock()
	r, ok := s.machine.Next(time.Now())
	edition := s.edition
	s.mu.Unlock()
	s.after()
	if !ok {
		return false
	}
	m, size := s.message(r, edition)
	s.server.metrics.sent(r.TypeURL, size)
	s.sending = true
	go func() { s.sent <- s.grpc.SendMsg(m) }()
	return true
}

// timer fires when the machine, which has nothing to send now, may have without
// an event.
func (s *stream) timer() <-chan time.Time {
	s.mu.Lock()
	deadline := s.machine.Deadline()
	s.mu.Unlock()
	if deadline.IsZero() {
		return nil
	}
	return time.After(time.Until(deadline))
}
