package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/ready"
)

const (
	// answerTimeout is how long a peer may take to answer.
	answerTimeout = 2 * time.Second
	// maxAnswer bounds an answer: some 150,000 resources of one type and group.
	maxAnswer = 16 << 20
	// maxName bounds the names that a peer gives itself and its program.
	maxName = 253
)

// errRefused means that nothing listens at an address, so that no proxy is
// served there either.
var errRefused = errors.New("connection refused")

// errUnknown means that a program answers that knows no peers, as an older one
// or one without --peers.
var errUnknown = errors.New("it offers no service for peers: it runs without --peers")

// peer is one address. One goroutine at a time uses it, except for dialed.
type peer struct {
	address string
	conn    *grpc.ClientConn
	dialed  atomic.Pointer[error] // how the last dial ended

	answer *peersv1.StateResponse // the last one; nil: none yet
	at     time.Time              // of answer
	err    error                  // why there is no newer one
	seen   map[place]sighting     // what differs
	told   string                 // the difference that the log has last told
}

// dial makes a peer. Nothing is connected before the first question.
func dial(address string, options ...grpc.DialOption) (*peer, error) {
	one := &peer{address: address}
	options = append([]grpc.DialOption{
		grpc.WithContextDialer(one.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		// A peer that restarts is connected to again soon. One that takes
		// connections and says nothing gets as long as grpc gives it.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 20 * time.Second,
		}),
	}, options...)
	var err error
	one.conn, err = grpc.NewClient("passthrough:///"+address, options...)
	return one, err
}

func (one *peer) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	one.dialed.Store(&err)
	return conn, err
}

// ask asks for the content at a path, of which a version is known.
func (one *peer) ask(ctx context.Context, replica string, path []string, known []byte) (*peersv1.StateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := peersv1.NewPeersClient(one.conn).State(ctx, &peersv1.StateRequest{Replica: replica, Path: path, Version: known})
	switch dialed := one.dialed.Load(); {
	case err == nil:
		return answer, check(answer)
	case dialed != nil && errors.Is(*dialed, syscall.ECONNREFUSED):
		return nil, errRefused
	case status.Code(err) == codes.Unimplemented:
		return nil, errUnknown
	case status.Code(err) == codes.DeadlineExceeded:
		return nil, fmt.Errorf("no answer within %v", answerTimeout)
	}
	return nil, errors.New(status.Convert(err).Message())
}

// check returns an error for an answer that makes no sense.
func check(answer *peersv1.StateResponse) error {
	switch {
	case answer.GetReplica() == "" || len(answer.GetReplica()) > maxName || len(answer.GetBuild()) > maxName:
		return errors.New("its answer makes no sense: no name, or one too long")
	case answer.GetConnections() < 0 || answer.GetConnections() > 1e9:
		return fmt.Errorf("its answer makes no sense: %d connections", answer.GetConnections())
	}
	return nil
}

// name is that of the replica, or the address of one that has never answered.
func (one *peer) name() string {
	if one.answer == nil {
		return one.address
	}
	return one.answer.GetReplica()
}

// phase is the one that the peer told; false if it did not answer lately.
func (one *peer) phase() (ready.Phase, bool) {
	if one.err != nil || one.answer == nil {
		return "", false
	}
	return phaseOf(one.answer.GetPhase()), true
}
