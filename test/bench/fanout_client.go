package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/test/adswire"
)

// clientArgument starts this program as the process of all proxies. Behind it
// stands a clientConfig; then the process reads one clientCommand after another
// and answers each with what the proxies have received so far.
const clientArgument = "internal-fanout-client"

// clientConfig is the same for every kind of server.
type clientConfig struct {
	Address string `json:"address"`
	load
}

// clientCommand is what the proxies shall do next.
type clientCommand string

const (
	connectAll   clientCommand = "connect"   // connect and subscribe, without waiting for answers
	loadAll      clientCommand = "load"      // the same, and wait until all have ACKed all types
	expectChange clientCommand = "expect"    // note which proxies ACK load assignments from now on
	awaitChange  clientCommand = "await"     // wait until all have
	reconnectAll clientCommand = "reconnect" // connect again with the versions held, and wait until each got a response
)

// received is what all proxies have received so far.
type received struct {
	Bytes         int64 `json:"bytes"`
	Resources     int64 `json:"resources"`
	ResourceBytes int64 `json:"resourceBytes"`
	OneEmpty      int   `json:"oneEmpty"` // proxies that got exactly one response without resources since they connected
	At            int64 `json:"at"`       // when the last proxy did what was awaited, in Unix nanoseconds
}

// fleet is all proxies.
type fleet struct {
	config      clientConfig
	dialect     adswire.Dialect
	proxies     []*proxy
	inventories []*inventory
	failed      chan error // why a proxy has failed, the first time
	end         func()     // closes the connections and waits for the proxies; nil: none

	awaited atomic.Int64   // proxies that have not done yet what is awaited
	done    chan time.Time // when the last did
}

func runFanoutClient(ctx context.Context, config string, in io.Reader, out io.Writer) error {
	var c clientConfig
	if err := decodeConfig(config, &c); err != nil {
		return err
	}
	f, err := newFleet(c)
	if err != nil {
		return err
	}
	defer f.close()
	return answerEach(in, out, func(command clientCommand) (received, error) { return f.do(ctx, command) })
}

func newFleet(config clientConfig) (*fleet, error) {
	f := &fleet{config: config, dialect: config.dialect(), failed: make(chan error, 1), done: make(chan time.Time, 1)}
	shared := f.subscription(config.Services, nil)
	for range config.Groups {
		held := newInventory()
		held.encode(f.dialect)
		f.inventories = append(f.inventories, held)
	}
	for id := range config.Proxies {
		group := id % config.Groups
		node, err := encodeNode(id, groupName(group))
		if err != nil {
			return nil, err
		}
		names := shared
		if config.Asked < config.Services {
			names = f.subscription(config.Asked, rand.New(rand.NewPCG(0, uint64(id))))
		}
		f.proxies = append(f.proxies, &proxy{
			dialect: f.dialect, node: node, names: names,
			holds: f.inventories[group], keeps: id < config.Groups, settled: f.settled,
		})
	}
	return f, nil
}

// subscription returns the encoded names by type: the route table, and of all
// load assignments as many as are asked, chosen at random.
func (f *fleet) subscription(asked int, random *rand.Rand) map[string][]byte {
	var names []string
	for i := range f.config.Services {
		names = append(names, serviceName(i))
	}
	if random != nil {
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	return map[string][]byte{
		resourcev3.EndpointType: f.dialect.Names(names[:asked]),
		resourcev3.RouteType:    f.dialect.Names([]string{tableName}),
	}
}

// do carries out a command.
func (f *fleet) do(ctx context.Context, command clientCommand) (received, error) {
	var err error
	switch command {
	case connectAll:
		err = f.connect(ctx)
	case loadAll:
		f.expect(ackedAll)
		err = f.connect(ctx)
	case reconnectAll:
		f.close()
		for _, held := range f.inventories {
			held.encode(f.dialect)
		}
		f.expect(anyResponse)
		err = f.connect(ctx)
	case expectChange:
		f.expect(ackedEndpoint)
	case awaitChange:
	default:
		return received{}, fmt.Errorf("unknown command %q", command)
	}
	var at time.Time
	if err == nil && command != connectAll && command != expectChange {
		at, err = f.await(ctx)
	}
	return f.received(at), err
}

// expect notes what the proxies shall do, all of them, before it is awaited.
func (f *fleet) expect(bits uint32) {
	f.awaited.Store(int64(len(f.proxies)))
	for _, p := range f.proxies {
		p.awaited.Store(bits)
	}
}

// settled is called by each proxy that has done what is awaited.
func (f *fleet) settled() {
	if f.awaited.Add(-1) == 0 {
		f.done <- time.Now()
	}
}

// await waits until all proxies have done it, and returns when the last did.
func (f *fleet) await(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStuck)
	defer cancel()
	select {
	case at := <-f.done:
		return at, nil
	case err := <-f.failed:
		return time.Time{}, err
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("waiting for %d of %d proxies: %w", f.awaited.Load(), len(f.proxies), context.Cause(ctx))
	}
}

func (f *fleet) received(at time.Time) received {
	sum := received{At: at.UnixNano()}
	for _, p := range f.proxies {
		sum.Bytes += p.bytes.Load()
		sum.Resources += p.resources.Load()
		sum.ResourceBytes += p.resourceBytes.Load()
		if p.empty.Load() == 1 {
			sum.OneEmpty++
		}
	}
	return sum
}

// dialing is how many connections are made at a time: more would overflow the
// queue of the listening socket, and a lost SYN is sent again after 1 s.
const dialing = 64

// connect connects all proxies, subscribes and returns; they go on by
// themselves until close.
func (f *fleet) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	connections := make([]*grpc.ClientConn, (len(f.proxies)+f.config.Sharing-1)/f.config.Sharing)
	f.end = func() {
		cancel()
		for _, connection := range connections {
			if connection != nil {
				_ = connection.Close()
			}
		}
		running.Wait()
	}
	slots := make(chan struct{}, dialing)
	errs := make([]error, len(connections))
	var opening sync.WaitGroup
	for i := range connections {
		opening.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			first := i * f.config.Sharing
			last := min(first+f.config.Sharing, len(f.proxies))
			connections[i], errs[i] = f.connectSome(ctx, f.proxies[first:last], &running)
		})
	}
	opening.Wait()
	return errors.Join(errs...)
}

// connectSome connects proxies that share a connection.
func (f *fleet) connectSome(ctx context.Context, proxies []*proxy, running *sync.WaitGroup) (*grpc.ClientConn, error) {
	connection, err := adswire.NewClient(f.config.Address)
	if err != nil {
		return nil, err
	}
	for _, p := range proxies {
		stream, err := p.subscribe(ctx, connection)
		if err != nil {
			return connection, err
		}
		running.Go(func() {
			err := p.follow(stream)
			if ctx.Err() != nil {
				return
			}
			select {
			case f.failed <- err:
			default: // one reason is enough
			}
		})
	}
	return connection, nil
}

// close ends all connections.
func (f *fleet) close() {
	if f.end != nil {
		f.end()
		f.end = nil
	}
}
