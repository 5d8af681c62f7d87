package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/cluster/record"
)

// interval is the time between two samples.
const interval = 100 * time.Millisecond

// sampler asks an Envoy for its clusters and records when some are gone.
type sampler struct {
	admin string // the URL of Envoy's admin server

	mu     sync.Mutex
	record record.Clusters // guarded by mu
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
			endpoints, err := clusters(ctx, client, s.admin)
			s.note(endpoints, err)
		}
	}
}

func (s *sampler) note(endpoints map[string]int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.record.Unanswered++
		return
	}
	s.record.Sample(time.Now(), endpoints)
}

func (s *sampler) get(cut bool) record.Clusters {
	s.mu.Lock()
	defer s.mu.Unlock()
	soFar := s.record
	if cut {
		s.record = soFar.Next()
	}
	return soFar
}

// clusters returns the number of endpoints of each cluster that an Envoy got from
// its control plane.
func clusters(ctx context.Context, client *http.Client, admin string) (map[string]int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/clusters?format=json", nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the admin server of Envoy answers %s", response.Status)
	}
	var answer struct {
		Statuses []struct {
			Name    string            `json:"name"`
			Added   bool              `json:"added_via_api"`
			Members []json.RawMessage `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	endpoints := make(map[string]int)
	for _, status := range answer.Statuses {
		if status.Added {
			endpoints[status.Name] = len(status.Members)
		}
	}
	return endpoints, nil
}
