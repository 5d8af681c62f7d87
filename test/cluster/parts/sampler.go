package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/cluster/record"
)

// interval is the time between two samples.
const interval = 100 * time.Millisecond

// sampler asks an Envoy for its clusters, and whether it has a stream to its
// control plane, and records when they are gone.
type sampler struct {
	admin string // the URL of Envoy's admin server

	mu     sync.Mutex
	record record.Envoy // guarded by mu
}

func (s *sampler) run(ctx context.Context) {
	client := &http.Client{Timeout: 10 * interval}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.note(ask(ctx, client, s.admin))
		}
	}
}

func (s *sampler) note(seen sample, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.record.Unanswered++
		return
	}
	s.record.Sample(time.Now(), seen.endpoints, seen.connected)
}

func (s *sampler) get(cut bool) record.Envoy {
	s.mu.Lock()
	defer s.mu.Unlock()
	soFar := s.record
	if cut {
		s.record = soFar.Next()
	}
	return soFar
}

// sample is what an Envoy has at a time.
type sample struct {
	endpoints map[string]int // of each cluster that it got from its control plane
	connected bool
}

func ask(ctx context.Context, client *http.Client, admin string) (seen sample, err error) {
	var clusters struct {
		Statuses []struct {
			Name    string            `json:"name"`
			Added   bool              `json:"added_via_api"`
			Members []json.RawMessage `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	var gauges struct {
		Stats []struct {
			Value int `json:"value"`
		} `json:"stats"`
	}
	err = errors.Join(
		askFor(ctx, client, admin+"/clusters?format=json", &clusters),
		askFor(ctx, client, admin+"/stats?format=json&filter=^control_plane.connected_state$", &gauges),
	)
	seen.endpoints = make(map[string]int)
	for _, status := range clusters.Statuses {
		if status.Added {
			seen.endpoints[status.Name] = len(status.Members)
		}
	}
	seen.connected = len(gauges.Stats) == 1 && gauges.Stats[0].Value == 1
	return seen, err
}

// askFor decodes what the admin server of an Envoy answers.
func askFor(ctx context.Context, client *http.Client, url string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
