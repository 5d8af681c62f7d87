package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// envoy is a running Envoy.
type envoy struct {
	*process
	kind     kind
	name     string // of its files, without their endings
	admin    string // address
	listener string // address
	told     int    // how many of its gaps crowd.gaps has returned
}

// startEnvoy starts an Envoy that knows the replicas' addresses.
func (c *crowd) startEnvoy(ctx context.Context, number int) (*envoy, error) {
	e := &envoy{kind: kindOf(number, true), name: filepath.Join(c.directory, fmt.Sprintf("envoy-%d", number))}
	config, err := c.bootstrap(ctx, e.kind)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(e.name+".json", config, 0o600); err != nil {
		return nil, err
	}
	// The log of its xDS client says when streams end and what they bring.
	e.process, err = start(ctx, e.name+".log", c.envoyPath, "--config-path", e.name+".json", "--admin-address-path", e.name+".admin",
		"--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning", "--component-log-level", "config:debug",
		"--service-node", filepath.Base(e.name), "--service-cluster", "envoys")
	return e, err
}

// awaitListener waits until Envoy listens, which it does when it has its config.
func (e *envoy) awaitListener(ctx context.Context) error {
	return until(ctx, "Envoy listens", func() (bool, error) {
		admin, _ := os.ReadFile(e.name + ".admin") // Envoy writes it
		e.admin = string(admin)
		return e.admin != "" && e.findListener(ctx), e.alive()
	})
}

// bootstrap returns what `xdsready bootstrap` prints; for the default kind
// without the retry policy, which leaves Envoy's own back-off.
func (c *crowd) bootstrap(ctx context.Context, k kind) ([]byte, error) {
	command := exec.CommandContext(ctx, c.command, "bootstrap", "--output", "json",
		"--admin-address", "127.0.0.1:0", "--transport", k.Transport, "--xds-address", strings.Join(c.addresses(), ","))
	printed, err := command.Output()
	if err != nil || k.Bootstrap == generated {
		return printed, err
	}
	var config any
	if err := json.Unmarshal(printed, &config); err != nil {
		return nil, err
	}
	if !leaveOut(config, "retry_policy") {
		return nil, errors.New("`xdsready bootstrap` prints no retry_policy to leave out")
	}
	return json.Marshal(config)
}

// leaveOut deletes a field wherever it is in a JSON value, and reports whether
// it was anywhere.
func leaveOut(value any, field string) (found bool) {
	switch value := value.(type) {
	case map[string]any:
		_, found = value[field]
		delete(value, field)
		for _, inner := range value {
			found = leaveOut(inner, field) || found
		}
	case []any:
		for _, inner := range value {
			found = leaveOut(inner, field) || found
		}
	}
	return found
}

// findListener looks for the listener "http" and reports whether it is there.
func (e *envoy) findListener(ctx context.Context) bool {
	_, body, err := get(ctx, "http://"+e.admin+"/listeners")
	_, after, found := strings.Cut(body, "http::")
	e.listener, _, _ = strings.Cut(after, "\n")
	return err == nil && found
}

// updates returns how many updates of any type Envoy has taken.
func (e *envoy) updates(ctx context.Context) (sum int, err error) {
	_, body, err := get(ctx, "http://"+e.admin+"/stats?filter=update_success")
	for line := range strings.Lines(body) {
		var n int
		_, value, _ := strings.Cut(line, ": ")
		if _, err := fmt.Sscan(value, &n); err != nil {
			return 0, fmt.Errorf("statistics of Envoy: %q: %w", line, err)
		}
		sum += n
	}
	return sum, err
}

// gaps returns all that Envoy's log tells of, and whether Envoy is served now.
func (e *envoy) gaps() (gaps []gap, served bool, err error) {
	file, err := os.Open(e.log)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	var watch stopwatch
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		at, event := readLog(lines.Text())
		switch event {
		case streamEnded:
			watch.end(at)
		case streamAnswered:
			if length, closed := watch.answer(at); closed {
				gaps = append(gaps, gap{e.kind, length})
			}
		}
	}
	return gaps, watch.served, lines.Err()
}

// What a line of Envoy's log tells of its xDS stream.
const (
	streamEnded    = "ended"
	streamAnswered = "answered"
)

// readLog returns what a line tells and when it was written; an empty event for
// most lines.
func readLog(line string) (at time.Time, event string) {
	const stamp = "2006-01-02 15:04:05.000"
	switch {
	case strings.Contains(line, " gRPC config stream to xdsready closed"):
		event = streamEnded
	case strings.Contains(line, "] Received DeltaDiscoveryResponse for "), strings.Contains(line, "] Received gRPC message for "):
		event = streamAnswered
	default:
		return time.Time{}, ""
	}
	if len(line) <= len(stamp) {
		return time.Time{}, ""
	}
	at, err := time.Parse(stamp, line[1:len(stamp)+1])
	if err != nil {
		return time.Time{}, ""
	}
	return at, event
}
