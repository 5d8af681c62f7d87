package envoy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/xdsready/xdsready/pkg/cache"
)

// message is a request that an Envoy sent, or a response that it was sent.
type message struct {
	stream   int // counted from 1
	at       time.Time
	response bool
	typeURL  string
	version  string // of the type
	nonce    string // of a request: that of the response it answers, empty if it answers none
	nack     string
	names    []string          // asked for; of a response: of the resources in it
	removed  []string          // delta: no longer asked for; of a response: told to be gone
	initial  map[string]string // delta: what Envoy holds
}

// String returns a line for a failed test.
func (m message) String() string {
	what := "request"
	if m.response {
		what = "response"
	}
	return fmt.Sprintf("stream %d: %s of %s %q, removed %q, version %q, nonce %q, error %q",
		m.stream, what, cache.Kind(m.typeURL), m.names, m.removed, m.version, m.nonce, m.nack)
}

// wire keeps what goes over the streams of a server, and ends streams.
type wire struct {
	mu       sync.Mutex // guards the following
	messages []message
	streams  int
	open     map[int]context.CancelFunc
	cutAt    func(message) bool // ends the stream of the next message that it is true of; nil: none
	shut     chan struct{}      // new streams wait until it is closed; nil: they do not
}

// intercept is a grpc.StreamServerInterceptor.
func (w *wire) intercept(server any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cut := context.WithCancel(ss.Context())
	defer cut()
	w.mu.Lock()
	w.streams++
	number, shut := w.streams, w.shut
	if w.open == nil {
		w.open = map[int]context.CancelFunc{}
	}
	w.open[number] = cut
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, number)
	}()
	if shut != nil {
		select {
		case <-shut:
		case <-ctx.Done():
		}
	}
	return handle(server, &wiredStream{ServerStream: ss, ctx: func() context.Context { return ctx }, wire: w, number: number})
}

// wiredStream is a stream on which each message is noted before it goes on.
type wiredStream struct {
	grpc.ServerStream

	ctx    func() context.Context
	wire   *wire
	number int
}

// Context implements grpc.ServerStream.
func (s *wiredStream) Context() context.Context { return s.ctx() }

// RecvMsg implements grpc.ServerStream. It returns when the stream is cut.
func (s *wiredStream) RecvMsg(m any) error {
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(m) }() // it ends with the stream
	select {
	case err := <-received:
		if err != nil {
			return err
		}
	case <-s.Context().Done():
		return status.Error(codes.Unavailable, "cut")
	}
	request := requestOf(m)
	request.stream, request.at = s.number, time.Now()
	defer s.wire.keep(request)
	return s.wire.pass(request)
}

// SendMsg implements grpc.ServerStream.
func (s *wiredStream) SendMsg(m any) error {
	response, err := responseOf(m)
	if err != nil {
		return err
	}
	response.stream, response.at = s.number, time.Now()
	defer s.wire.keep(response) // when it is on its way: an end of the stream comes after it
	if err := s.wire.pass(response); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

// keep records a message.
func (w *wire) keep(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, m)
}

// pass returns an error if the stream ends with the message, which nobody gets then.
func (w *wire) pass(m message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cutAt == nil || !w.cutAt(m) {
		return nil
	}
	w.open[m.stream]()
	return status.Error(codes.Unavailable, "cut")
}

func requestOf(m any) message {
	switch r := m.(type) {
	case *discovery.DiscoveryRequest:
		return message{
			typeURL: r.GetTypeUrl(), version: r.GetVersionInfo(), nonce: r.GetResponseNonce(),
			nack: r.GetErrorDetail().GetMessage(), names: r.GetResourceNames(),
		}
	case *discovery.DeltaDiscoveryRequest:
		return message{
			typeURL: r.GetTypeUrl(), nonce: r.GetResponseNonce(), nack: r.GetErrorDetail().GetMessage(),
			names: r.GetResourceNamesSubscribe(), removed: r.GetResourceNamesUnsubscribe(), initial: r.GetInitialResourceVersions(),
		}
	}
	return message{}
}

// responseOf reads a response as Envoy does: the server hands over resources in
// an encoded form.
func responseOf(m any) (message, error) {
	if pieces, ok := m.(interface{ Joined() proto.Message }); ok {
		m = pieces.Joined()
	}
	switch r := m.(type) {
	case *discovery.DiscoveryResponse:
		read := &discovery.DiscoveryResponse{}
		if err := reread(r, read); err != nil {
			return message{}, err
		}
		names, err := namesOf(read.GetResources())
		return message{response: true, typeURL: r.GetTypeUrl(), version: r.GetVersionInfo(), nonce: r.GetNonce(), names: names}, err
	case *discovery.DeltaDiscoveryResponse:
		read := &discovery.DeltaDiscoveryResponse{}
		if err := reread(r, read); err != nil {
			return message{}, err
		}
		var names []string
		for _, resource := range read.GetResources() {
			names = append(names, resource.GetName())
		}
		return message{
			response: true, typeURL: r.GetTypeUrl(), version: r.GetSystemVersionInfo(), nonce: r.GetNonce(),
			names: names, removed: r.GetRemovedResources(),
		}, nil
	}
	return message{}, fmt.Errorf("%T is no response", m)
}

func reread(from, to proto.Message) error {
	encoded, err := proto.Marshal(from)
	if err != nil {
		return err
	}
	return proto.Unmarshal(encoded, to)
}

func namesOf(packed []*anypb.Any) (names []string, err error) {
	for _, one := range packed {
		resource, err := cache.NewResourceFromAny(one)
		if err != nil {
			return nil, err
		}
		names = append(names, resource.Name())
	}
	return names, nil
}

// interrupt ends all streams; new ones wait until resume is called.
func (w *wire) interrupt() (resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.open {
		end()
	}
	shut := make(chan struct{})
	w.shut = shut
	return sync.OnceFunc(func() { close(shut) })
}

// cut ends the stream of the next message that at is true of, before anybody gets
// it; new ones wait until resume is called, which may be before that.
func (w *wire) cut(at func(message) bool) (resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shut := make(chan struct{})
	w.cutAt = func(m message) bool {
		if at(m) {
			w.shut, w.cutAt = shut, nil
			return true
		}
		return false
	}
	return sync.OnceFunc(func() { close(shut) })
}

// isCut reports whether there is no cut still to come.
func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cutAt == nil
}

// now is the place in the record where the next message will be.
func (w *wire) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.messages)
}

// since returns the messages from a place on that are of a kind.
func (w *wire) since(place int, is func(message) bool) []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []message
	for _, m := range w.messages[place:] {
		if is(m) {
			found = append(found, m)
		}
	}
	return found
}

// await returns the first message of a kind from a place on.
func (w *wire) await(t *testing.T, place int, what string, is func(message) bool) message {
	t.Helper()
	var found []message
	eventually(t, what, func() bool {
		found = w.since(place, is)
		return len(found) > 0
	})
	return found[0]
}

// brings reports whether a response carries a resource of that name, or of any
// name if it is empty.
func brings(typeURL, name string) func(message) bool {
	return func(m message) bool {
		return m.response && m.typeURL == typeURL && len(m.names) > 0 && slices.Contains(m.names, cmp.Or(name, m.names[0]))
	}
}

// asksFor reports whether a request is for a name.
func asksFor(typeURL, name string) func(message) bool {
	return func(m message) bool { return !m.response && m.typeURL == typeURL && slices.Contains(m.names, name) }
}

// accepts reports whether a request is an ACK.
func accepts(typeURL string) func(message) bool {
	return func(m message) bool { return !m.response && m.typeURL == typeURL && m.nonce != "" && m.nack == "" }
}

// rejects reports whether a request is a NACK.
func rejects(typeURL string) func(message) bool {
	return func(m message) bool { return !m.response && m.typeURL == typeURL && m.nack != "" }
}

// answers reports whether a request is the ACK or NACK of a response.
func answers(response message) func(message) bool {
	return func(m message) bool {
		return !m.response && m.stream == response.stream && m.typeURL == response.typeURL && m.nonce == response.nonce
	}
}
