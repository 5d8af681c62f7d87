// Package world runs one kind of control plane in several replicas, the network
// in front of them, and the real Envoys that they serve.
package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// Options say what a world is made of.
type Options struct {
	Dir      string        // for its logs and the replicas' inputs; it exists
	Host     func() string // the next loopback address that is all ours
	XDSReady string        // path of the command, which makes the bootstraps of all worlds
	Envoy    string        // path of Envoy
	Replicas int
	Envoys   int // half of them, rounded up, with delta xDS and the others with SotW
	Backends *Backends
	// Command starts a replica that reads the directory input; all are the
	// addresses of the xDS servers of all replicas, without links.
	Command func(input string, at Addresses, all []string) []string
}

// Addresses are those of one replica.
type Addresses struct{ XDS, HTTP, Admin string }

// World is one that runs.
type World struct {
	Checker *verdict.Checker

	options  Options
	began    time.Time
	replicas []*replica
	proxies  []*proxy

	cancel  context.CancelFunc // ends what runs
	running sync.WaitGroup     // the looks at proxies and the requests through them

	mu     sync.Mutex // guards faults
	faults []error    // what went wrong that no schedule says
}

// New makes a world whose replicas read the first version of the configuration;
// began is the beginning of the run. No process runs before Start; Close must be
// called in any case.
func New(ctx context.Context, o Options, began time.Time, first config.Config) (*World, error) {
	w := &World{options: o, began: began, cancel: func() {}}
	transports := map[string]string{}
	for number := range o.Envoys {
		transport := []string{verdict.Delta, verdict.SotW}[number%2]
		p := &proxy{
			name: fmt.Sprintf("envoy-%d-%s", number, transport), transport: transport,
			admin: net.JoinHostPort(o.Host(), "9901"), backends: o.Backends,
		}
		w.proxies = append(w.proxies, p)
		transports[p.name] = transport
	}
	w.Checker = verdict.New(transports)
	var addresses []Addresses
	var all []string
	for range o.Replicas {
		host := o.Host()
		addresses = append(addresses, Addresses{
			net.JoinHostPort(host, "18000"), net.JoinHostPort(host, "8080"), net.JoinHostPort(host, "18001"),
		})
		all = append(all, net.JoinHostPort(host, "18000"))
	}
	for number, at := range addresses {
		if err := w.addReplica(ctx, number, at, all); err != nil {
			return w, err
		}
	}
	for team := range first.Teams {
		if err := w.write(first, team); err != nil {
			return w, err
		}
	}
	w.Checker.Publish(time.Since(began), first)
	return w, nil
}

func (w *World) addReplica(ctx context.Context, number int, at Addresses, all []string) error {
	name := fmt.Sprintf("replica-%d", number)
	link, err := newLink(ctx, net.JoinHostPort(w.options.Host(), "18000"), at.XDS)
	if err != nil {
		return err
	}
	input := &directory{path: filepath.Join(w.options.Dir, name), files: map[string][]byte{}}
	w.replicas = append(w.replicas, &replica{
		command: w.options.Command(input.path, at, all),
		log:     filepath.Join(w.options.Dir, name+".log"),
		link:    link,
		input:   input,
	})
	return os.Mkdir(input.path, 0o700)
}

// Start starts the replicas and the proxies, waits until these have all of the
// configuration, and then sends requests through them until Close.
func (w *World) Start(ctx context.Context) error {
	ctx, w.cancel = context.WithCancel(ctx)
	var addresses []string
	for _, r := range w.replicas {
		if err := r.up(ctx); err != nil {
			return err
		}
		addresses = append(addresses, r.link.listener.Addr().String())
	}
	for _, p := range w.proxies {
		if err := p.start(ctx, w.options, addresses); err != nil {
			return err
		}
		w.running.Go(func() { w.Note(p.watch(ctx, w.Checker, w.began)) })
	}
	if err := w.Await(ctx, 0, patience); err != nil {
		return err
	}
	for _, p := range w.proxies {
		w.running.Go(func() { p.send(ctx, w.Checker, w.began, true) })
		w.running.Go(func() { p.send(ctx, w.Checker, w.began, false) })
	}
	return nil
}

// Await waits until all proxies have this version, or a newer one.
func (w *World) Await(ctx context.Context, version int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !w.Checker.Holds(version) {
		if !sleep(ctx, sampleEvery) {
			return fmt.Errorf("not all proxies have version %d after %v", version, limit)
		}
	}
	return nil
}

// Publish writes a version whose change is in the file of one team.
func (w *World) Publish(version config.Config, team int) {
	w.Checker.Publish(time.Since(w.began), version)
	w.Note(w.write(version, team))
}

func (w *World) write(version config.Config, team int) error {
	content, err := version.Teams[team].Render(w.options.Backends.host, w.options.Backends.Ports())
	for _, r := range w.replicas {
		err = errors.Join(err, r.input.write(version.Teams[team].File(), content))
	}
	return err
}

// Envoys is how many proxies there are.
func (w *World) Envoys() int { return len(w.proxies) }

// Pushed is how many bytes the replicas have sent to proxies.
func (w *World) Pushed() int64 {
	var sum int64
	for _, r := range w.replicas {
		sum += r.link.pushed.Load()
	}
	return sum
}

// Note remembers what went wrong that no schedule says.
func (w *World) Note(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, err)
}

// Faults are what went wrong that no schedule says: replicas that ended by
// themselves, proxies that do not answer.
func (w *World) Faults() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := w.faults
	for _, r := range w.replicas {
		faults = append(faults, r.unexpected()...)
	}
	return faults
}

// Close ends all that runs: first the traffic, then the proxies, then the replicas.
func (w *World) Close() {
	w.cancel()
	w.running.Wait()
	for _, p := range w.proxies {
		if p.process != nil {
			w.Note(p.process.end(syscall.SIGKILL))
		}
	}
	for _, r := range w.replicas {
		if r.process != nil {
			w.Note(r.down(syscall.SIGKILL))
		}
		r.link.close()
	}
}
