package peers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

const (
	// interval is the time between two rounds: short enough for the numbers of
	// connections, which shedding follows.
	interval = 3 * time.Second
	// shedInterval is the time between two decisions on shedding.
	shedInterval = time.Second
)

// Inputs is what a replica's content is made of.
type Inputs interface {
	// Watermarks returns how far each input is; none where that cannot be
	// compared between replicas.
	Watermarks() []source.Watermark
	// Settled reports whether all that derives from the inputs has followed them,
	// so that what is computed from now on is computed of what was read.
	Settled() bool
}

// Options of [New]. All are required but for those that say otherwise.
type Options struct {
	List  []string // HOST:PORT or dns:///NAME:PORT
	Name  string   // of this replica: see NewName
	Build string   // version of the program; may be empty

	Phase   func() ready.Phase
	Inputs  Inputs
	Content Content
	Opened  <-chan struct{} // closed when the gate opens

	// Connections returns how many connections of proxies there are, and Shed
	// asks so many of them to leave. Without Shed none is.
	Connections func() int
	Shed        func(n int) int

	// Recall returns what proxies were given before; false: it is not known.
	Recall func(g xds.Generation) ([]cache.Resource, bool)

	// Authorize says whether the peer that a call comes from is one; nil: it is.
	Authorize func(ctx context.Context) error
	// Dial are the options of connections to peers: their credentials.
	Dial []grpc.DialOption
	// Deadline is how long Await may take.
	Deadline time.Duration
	// Waiting is told what Await waits for.
	Waiting func(text string)
	Logger  *slog.Logger

	Interval time.Duration // between rounds; 0: 3 s
	Lookup   resolver      // 0: the system's
}

// Peers looks at the peers of a replica. Await and Run are called once each, in
// any order; all other methods are safe for concurrent use.
type Peers struct {
	options Options
	targets []target

	round sync.Mutex // held while peers are asked: by Await or Run

	// Guarded by round.
	peers      map[string]*peer // by address; this replica's own are left out
	own        map[string]bool  // addresses that turned out to be this replica's
	closed     bool
	everything *peersv1.Content // our content, as it was when the round began
	lookupErr  string
	balancer   balancer

	recalls singleflight.Group

	mu    sync.Mutex // guards the following
	view  []View
	asked []*peer // in the last round; for Recall, which uses their connections alone
}

// New returns a Peers. The error is that of the list.
func New(options Options) (*Peers, error) {
	targets, err := parseList(options.List)
	if err != nil {
		return nil, err
	}
	options.Interval = cmp.Or(options.Interval, interval)
	if options.Lookup == nil {
		options.Lookup = net.DefaultResolver.LookupHost
	}
	return &Peers{options: options, targets: targets, peers: map[string]*peer{}, own: map[string]bool{}}, nil
}

// NewName makes a name for this replica that no other has, nor the same one
// after a restart.
func NewName(host string) string {
	return fmt.Sprintf("%s-%08x", cmp.Or(host, "replica"), rand.Uint32())
}

// Run looks at the peers once the gate has opened, until ctx ends.
func (p *Peers) Run(ctx context.Context) error {
	defer p.close()
	select {
	case <-p.options.Opened:
	case <-ctx.Done():
		return nil
	}
	shed := time.NewTicker(shedInterval)
	defer shed.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			p.lookRound(ctx)
			look.Reset(jittered(p.options.Interval))
		case <-shed.C:
			p.shed(time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// jittered is d ± 20 %, so that replicas do not ask in step.
func jittered(d time.Duration) time.Duration { return d*8/10 + rand.N(d*4/10) }
