package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// proxy is a real Envoy.
type proxy struct {
	name, transport string
	admin           string // host:port
	backends        *Backends
	process         *process
	client          *http.Client // for the admin address

	mu        sync.Mutex        // guards listeners
	listeners map[string]string // the address of each, by name, when last seen
}

// start runs the Envoy, with the bootstrap that xdsready prints for these
// addresses of replicas.
func (p *proxy) start(ctx context.Context, o Options, replicas []string) error {
	flags := []string{"bootstrap", "--transport", p.transport, "--admin-address", p.admin, "--node-id", p.name, "--node-cluster", "chaos"}
	for _, address := range replicas {
		flags = append(flags, "--xds-address", address)
	}
	bootstrap, err := exec.CommandContext(ctx, o.XDSReady, flags...).Output()
	if err != nil {
		return fmt.Errorf("xdsready bootstrap: %w", err)
	}
	file := filepath.Join(o.Dir, p.name+".yaml")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		return err
	}
	p.client = &http.Client{Timeout: patience, Transport: &http.Transport{}}
	p.process, err = start(ctx, filepath.Join(o.Dir, p.name+".log"), o.Envoy, "--config-path", file,
		"--disable-hot-restart", "--concurrency", "1", "--log-level", "info")
	if err != nil {
		return err
	}
	for !p.answers(ctx) {
		select {
		case <-p.process.ended:
			return fmt.Errorf("%s ended at its start: %w", p.name, p.process.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startPoll):
		}
	}
	return nil
}

// startPoll is the time between two looks at an Envoy that starts.
const startPoll = 20 * time.Millisecond

// answers reports whether the Envoy's admin address is open.
func (p *proxy) answers(ctx context.Context) bool {
	_, err := p.view(ctx)
	return err == nil
}

// watch tells the checker every so often what the Envoy has, until ctx ends. It
// is an error if the Envoy ends before; one that is slow to answer is asked again.
func (p *proxy) watch(ctx context.Context, checker *verdict.Checker, began time.Time) error {
	defer p.client.CloseIdleConnections()
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		if view, err := p.view(ctx); err == nil {
			checker.Sample(time.Since(began), p.name, view)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.process.ended:
			return fmt.Errorf("%s ended: %w", p.name, p.process.err)
		case <-ticker.C:
		}
	}
}

// sampleEvery is the time between two looks at a proxy.
const sampleEvery = 250 * time.Millisecond

// view asks the Envoy what it has, and remembers where it listens.
func (p *proxy) view(ctx context.Context) (verdict.View, error) {
	var listeners struct {
		Statuses []struct {
			Name    string  `json:"name"`
			Address address `json:"local_address"`
		} `json:"listener_statuses"`
	}
	var clusters struct {
		Statuses []struct {
			Name  string `json:"name"`
			API   bool   `json:"added_via_api"`
			Hosts []struct {
				Address address `json:"address"`
			} `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := p.ask(ctx, "/listeners?format=json", &listeners); err != nil {
		return verdict.View{}, err
	}
	if err := p.ask(ctx, "/clusters?format=json", &clusters); err != nil {
		return verdict.View{}, err
	}
	view := verdict.View{Clusters: map[string][]int{}}
	found := map[string]string{}
	for _, l := range listeners.Statuses {
		view.Listeners = append(view.Listeners, l.Name)
		found[l.Name] = l.Address.String()
	}
	p.mu.Lock()
	p.listeners = found
	p.mu.Unlock()
	for _, c := range clusters.Statuses {
		if !c.API {
			continue // the control plane's own, of the bootstrap
		}
		view.Clusters[c.Name] = []int{}
		for _, h := range c.Hosts {
			view.Clusters[c.Name] = append(view.Clusters[c.Name], p.backends.Number(h.Address.String()))
		}
		slices.Sort(view.Clusters[c.Name])
	}
	return view, nil
}

// address is one in Envoy's JSON.
type address struct {
	Socket struct {
		Address string `json:"address"`
		Port    int    `json:"port_value"`
	} `json:"socket_address"`
}

func (a address) String() string {
	return net.JoinHostPort(a.Socket.Address, strconv.Itoa(a.Socket.Port))
}

func (p *proxy) ask(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}

// listener is the address of a listener when it was seen last; empty if there was none.
func (p *proxy) listener(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listeners[name]
}
