package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"syscall"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/test/adswire"
)

// fanoutArgument starts this program as an xDS server of one kind. Behind it
// stands a load; the process says its address, then carries out one
// serverCommand after another and says what it has used so far.
const fanoutArgument = "internal-fanout-server"

// The kinds of server, as tables show them.
const (
	oursKind   = "xdsready"   // pkg/xds
	limitKind  = "limit"      // writes bytes that are ready
	rawKind    = "raw limit"  // the same, and does not decode requests
	sharedKind = "shared Any" // encodes each resource once and each response anew, as Istio does
	stockKind  = "stock"      // go-control-plane's server
	bareKind   = "bare"       // receives and never answers
)

// newFanoutServer makes a server of each kind.
var newFanoutServer = map[string]func(load) (*fanoutServer, error){
	oursKind:   newOurFanout,
	limitKind:  newLimitFanout,
	rawKind:    newRawFanout,
	sharedKind: newSharedFanout,
	stockKind:  newStockFanout,
	bareKind:   newBareFanout,
}

// load is what server and proxies do in a run.
type load struct {
	Kind     string `json:"kind"` // of server
	Delta    bool   `json:"delta"`
	Proxies  int    `json:"proxies"`
	Services int    `json:"services"` // clusters, load assignments and routes
	Groups   int    `json:"groups"`   // node groups
	Asked    int    `json:"asked"`    // load assignments that a proxy asks for; fewer than Services: each has a list of its own
	Sharing  int    `json:"sharing"`  // proxies on one connection
}

func (l load) dialect() adswire.Dialect {
	if l.Delta {
		return adswire.Delta{}
	}
	return adswire.SotW{}
}

// serverCommand is what a server shall do next.
type serverCommand string

const (
	sayUsage serverCommand = "usage"
	// publish makes the next edition, notes what has been used by then, and
	// hands it to the streams.
	publish serverCommand = "publish"
	// awaitRequests waits until a server that never answers has read all requests.
	awaitRequests serverCommand = "await"
	// sayMemory gives back all garbage and measures what is left.
	sayMemory serverCommand = "memory"
)

// usage is what a server process has used so far.
type usage struct {
	CPU  time.Duration `json:"cpu"` // in user and kernel mode
	Peak uint64        `json:"peak"`
	memory
	At int64 `json:"at"` // Unix nanoseconds
}

// fanoutServer is a server of one kind.
type fanoutServer struct {
	options  []grpc.ServerOption
	register func(*grpc.Server)
	// prepare makes an edition ready; what it returns hands that to the streams.
	prepare func(context.Context, edition) (publish func() error, err error)
	settled func() bool // all requests have been read; of a server that never answers
	stop    func()      // nil: nothing to stop
}

func runFanoutServer(ctx context.Context, config string, in io.Reader, out io.Writer) error {
	var l load
	if err := decodeConfig(config, &l); err != nil {
		return err
	}
	newServer, known := newFanoutServer[l.Kind]
	if !known {
		return fmt.Errorf("unknown kind of server %q", l.Kind)
	}
	server, err := newServer(l)
	if err != nil {
		return err
	}
	if server.stop != nil {
		defer server.stop()
	}
	w, err := newWork(l.Services, l.Groups)
	if err != nil {
		return err
	}
	p := publisher{server: server, work: w}
	if _, err := p.next(ctx); err != nil {
		return err
	}
	if err := resetPeak(); err != nil {
		return err
	}
	registered := grpc.NewServer(append(server.options, grpc.MaxRecvMsgSize(largestRequest))...)
	server.register(registered)
	address, stop, err := serve(ctx, registered, unwrapped)
	if err != nil {
		return err
	}
	defer stop()
	if err := json.NewEncoder(out).Encode(address); err != nil {
		return err
	}
	return answerEach(in, out, func(command serverCommand) (usage, error) { return p.do(ctx, command) })
}

// largestRequest fits one of 100,000 names; grpc-go's 4 MB do not.
const largestRequest = 16 << 20

// publisher makes editions and hands them to a server.
type publisher struct {
	server *fanoutServer
	work   *work
}

// next publishes an edition and returns what had been used just before.
func (p publisher) next(ctx context.Context) (usage, error) {
	publish, err := p.server.prepare(ctx, p.work.next())
	if err != nil {
		return usage{}, err
	}
	before, err := used()
	if err != nil {
		return usage{}, err
	}
	return before, publish()
}

func (p publisher) do(ctx context.Context, command serverCommand) (usage, error) {
	switch command {
	case sayUsage:
		return used()
	case publish:
		return p.next(ctx)
	case awaitRequests:
		return usage{}, until(ctx, p.server.settled)
	case sayMemory:
		m, err := measureMemory()
		return usage{memory: m}, err
	}
	return usage{}, fmt.Errorf("unknown command %q", command)
}

// used is what this process has used so far.
func used() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, err
	}
	peak, err := peakBytes()
	return usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Peak: peak, At: time.Now().UnixNano()}, err
}

// encodeConfig and decodeConfig pass a value to a child process.
func encodeConfig(config any) (string, error) {
	encoded, err := json.Marshal(config)
	return string(encoded), err
}

func decodeConfig(encoded string, config any) error {
	if err := json.Unmarshal([]byte(encoded), config); err != nil {
		return fmt.Errorf("arguments of a child process: %w", err)
	}
	return nil
}

// eitherStream serves SotW and delta streams with one function.
type eitherStream struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	handle func(grpc.ServerStream) error
}

// StreamAggregatedResources implements the SotW half of ADS.
func (s eitherStream) StreamAggregatedResources(stream adsStream) error { return s.handle(stream) }

// DeltaAggregatedResources implements the delta half of ADS.
func (s eitherStream) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.handle(stream)
}
