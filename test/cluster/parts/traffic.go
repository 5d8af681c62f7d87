package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/cluster/record"
)

const (
	senders = 4               // for each URL; every other one opens a connection for each request
	rate    = 400             // requests per second, of all senders
	limit   = 5 * time.Second // for one answer
)

// traffic sends steady requests and records what becomes of them.
type traffic struct {
	mu     sync.Mutex
	record record.Traffic // guarded by mu
}

// start sends requests to each URL until ctx ends.
func (t *traffic) start(ctx context.Context, urls []string) {
	pace := time.Duration(len(urls)*senders) * time.Second / rate
	for _, url := range urls {
		for i := range senders {
			client := &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: i%2 == 1}}
			go t.send(ctx, client, url, pace)
		}
	}
}

// send sends a request each pace.
func (t *traffic) send(ctx context.Context, client *http.Client, url string, pace time.Duration) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		started := time.Now()
		failure := request(ctx, client, url)
		if ctx.Err() != nil {
			return // a request that we ended ourselves is no failure
		}
		t.note(started, url, failure)
	}
}

func (t *traffic) note(started time.Time, url, failure string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failure == "" {
		t.record.Answered()
		return
	}
	t.record.Lost(record.Failure{At: started, Target: url, What: failure})
}

// request returns why a request has failed, or nothing.
func request(ctx context.Context, client *http.Client, url string) (failure string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	switch {
	case err != nil:
		return err.Error()
	case response.StatusCode != http.StatusOK:
		return fmt.Sprintf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return ""
}

func (t *traffic) get(cut bool) record.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	soFar := t.record
	if cut {
		t.record = record.Traffic{}
	}
	return soFar
}
