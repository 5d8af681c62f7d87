package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/xdsready/xdsready/test/loopback"
)

// program is a running program that reads the API server, as seen from here.
type program struct {
	command *exec.Cmd
	began   time.Time     // right before it was started
	http    string        // address that answers 200 once all has been read
	xds     string        // address of xDS; of xdsready
	tiers   bool          // the program says how long each tier took
	log     bytes.Buffer  // what it prints on standard error; for who waits for ended
	ended   chan struct{} // closed when it has exited
	err     error         // how it exited; for who waits for ended
}

// launcher starts a program. The caller stops it.
type launcher func(context.Context) (*program, error)

func (l *lab) ours(ctx context.Context) (*program, error) {
	p := &program{tiers: true}
	var err error
	if p.xds, err = loopback.Reserve(ctx); err != nil {
		return nil, err
	}
	err = p.start(ctx, nil, l.program("xdsready"), "serve", "--source", "kubernetes", "--kubeconfig", l.kubeconfig,
		"--xds-address", p.xds, "--admin-address", "", "--drain-delay", "1ms")
	return p, err
}

func (l *lab) bare(ctx context.Context) (*program, error) { return l.peer(ctx, nil, "informers") }

func (l *lab) stripped(ctx context.Context) (*program, error) {
	return l.peer(ctx, nil, "informers", "--strip")
}

func (l *lab) manager(ctx context.Context) (*program, error) { return l.peer(ctx, nil, "manager") }

// peer starts a program that is not ours; out gets what it prints.
func (l *lab) peer(ctx context.Context, out io.Writer, name string, args ...string) (*program, error) {
	p := &program{}
	err := p.start(ctx, out, l.program(name), append(args, "--kubeconfig", l.kubeconfig)...)
	return p, err
}

// start starts a program on a free HTTP address.
func (p *program) start(ctx context.Context, out io.Writer, path string, args ...string) (err error) {
	if p.http, err = loopback.Reserve(ctx); err != nil {
		return err
	}
	p.command = exec.CommandContext(ctx, path, append(args, "--http-address", p.http)...)
	p.command.Stdout, p.command.Stderr = out, &p.log
	endGently(p.command)
	p.ended, p.began = make(chan struct{}), time.Now()
	if err := p.command.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		p.err = p.command.Wait()
	}()
	return nil
}

// readyInterval is how often a program is asked whether it is ready.
const readyInterval = 2 * time.Millisecond

// awaitReady waits until the program answers 200, and returns how long that took
// from its start.
func (p *program) awaitReady(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStuck)
	defer cancel()
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	defer http.DefaultClient.CloseIdleConnections()
	for {
		if code, _, err := p.get(ctx, "/readyz"); err == nil && code == http.StatusOK {
			return time.Since(p.began), nil
		}
		select {
		case <-ticker.C:
		case <-p.ended:
			return 0, p.fault(errors.New("it ended before it was ready"))
		case <-ctx.Done():
			return 0, p.fault(context.Cause(ctx))
		}
	}
}

// get asks the program over HTTP.
func (p *program) get(ctx context.Context, path string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// tierSeconds returns how long the tiers took, as the program itself says.
func (p *program) tierSeconds(ctx context.Context, tiers ...string) ([]float64, error) {
	_, metrics, err := p.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	took := map[string]float64{}
	for line := range strings.Lines(metrics) {
		var tier string
		var seconds float64
		if _, err := fmt.Sscanf(line, "xdsready_tier_sync_seconds{tier=%q} %g", &tier, &seconds); err == nil {
			took[tier] = seconds
		}
	}
	var seconds []float64
	for _, tier := range tiers {
		s, ok := took[tier]
		if !ok {
			return nil, fmt.Errorf("no xdsready_tier_sync_seconds of tier %s", tier)
		}
		seconds = append(seconds, s)
	}
	return seconds, nil
}

// stop ends the program and waits for that.
func (p *program) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which the next lines tell
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		<-p.ended
	}
	if p.err != nil {
		return p.fault(p.err)
	}
	return nil
}

// fault adds the program and the end of what it printed to an error.
func (p *program) fault(err error) error {
	select {
	case <-p.ended:
		const enough = 2000
		log := p.log.String()
		return fmt.Errorf("%s: %w\n%s", p.command.Path, err, log[max(0, len(log)-enough):])
	default:
		return fmt.Errorf("%s: %w", p.command.Path, err)
	}
}
