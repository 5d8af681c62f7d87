package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// startBackend returns the address of what all services lead to.
func startBackend() (address string, stop func()) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return strings.TrimPrefix(server.URL, "http://"), server.Close
}

// requestInterval is how often traffic goes through each Envoy.
const requestInterval = 50 * time.Millisecond

// traffic is steady requests through all Envoys, to one service after another.
type traffic struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex // guards the rest
	requests int
	failed   map[string]int // by cause
}

func startTraffic(ctx context.Context, envoys []*envoy, services int) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{cancel: cancel, failed: map[string]int{}}
	for _, e := range envoys {
		t.running.Go(func() { t.through(ctx, e, services) })
	}
	return t
}

// through sends requests through one Envoy, every second one on a new connection.
func (t *traffic) through(ctx context.Context, e *envoy, services int) {
	kept := &http.Client{Timeout: asking.Timeout, Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()
	ticker := time.NewTicker(requestInterval)
	defer ticker.Stop()
	for number := 0; ; number++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		client := asking
		if number%2 == 1 {
			client = kept
		}
		cause := request(ctx, client, "http://"+e.listener+servicePath(number%services))
		if ctx.Err() != nil {
			return
		}
		t.count(cause)
	}
}

// request returns why a request failed; empty if it did not.
func request(ctx context.Context, client *http.Client, url string) (cause string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

func (t *traffic) count(cause string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	if cause != "" {
		t.failed[cause]++
	}
}

// stop ends the traffic.
func (t *traffic) stop() {
	t.cancel()
	t.running.Wait()
}
