package envoy

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// kind is a way in which requests are sent, by several senders at a time.
type kind struct {
	name      string
	senders   int
	pace      time.Duration // the least time between two requests of a sender
	keepAlive bool          // false: each request on a connection of its own
	path      string
	hold      time.Duration // how long Envoy's fault filter holds each request
}

// kinds are all that a swap must not disturb.
var kinds = []kind{
	{name: "keep-alive", senders: 4, pace: 4 * time.Millisecond, keepAlive: true, path: "/"},
	{name: "new connections", senders: 2, pace: 10 * time.Millisecond, path: "/"},
	{name: "streaming", senders: 2, pace: time.Millisecond, keepAlive: true, path: "/stream"},
	{name: "held", senders: 10, pace: time.Millisecond, path: "/", hold: 2 * time.Second},
}

// traffic is steady requests of all kinds through one Envoy.
type traffic struct {
	url     string
	ending  sync.Once     // closes ended
	ended   chan struct{} // closed when no more requests are to be started
	running sync.WaitGroup

	mu       sync.Mutex // guards what follows, and the state of senders
	senders  []*sender
	swaps    int
	swapped  time.Time // when the last swap was published
	failures []string  // what failed, for the log
}

// sender sends one request after the other.
type sender struct {
	kind
	client           *http.Client
	requests, failed int
	backend          string // of the latest answer
	streak           int    // how many answers in a row were from it
}

// startTraffic sends requests through Envoy's listener "http" until the test
// ends, or stop is called. At the end it logs, under the title, what has failed.
func startTraffic(t *testing.T, envoy *proxy, title string) *traffic {
	t.Helper()
	tr := &traffic{url: "http://" + envoy.listener(), ended: make(chan struct{})}
	for _, k := range kinds {
		for n := range k.senders {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: !k.keepAlive}}
			s := &sender{kind: k, client: client}
			tr.senders = append(tr.senders, s)
			// The first hold is shorter, so that some are always about to end.
			tr.running.Go(func() { tr.run(s, k.hold*time.Duration(n+1)/time.Duration(k.senders)) })
		}
	}
	t.Cleanup(func() {
		tr.stop()
		t.Logf("%s: %v", title, tr)
	})
	return tr
}

// run sends requests until the traffic ends.
func (tr *traffic) run(s *sender, hold time.Duration) {
	defer s.client.CloseIdleConnections()
	pace := time.NewTicker(s.pace)
	defer pace.Stop()
	for {
		backend, err := s.send(tr.url, hold)
		tr.record(s, backend, err)
		hold = s.hold
		select {
		case <-pace.C:
		case <-tr.ended:
			return
		}
		select {
		case <-tr.ended: // both may have been ready
			return
		default:
		}
	}
}

// send sends one request and returns the address of the backend that answered
// it. It is a POST, because Go's client quietly sends a GET again if its
// connection breaks.
func (s *sender) send(url string, hold time.Duration) (backend string, err error) {
	request, err := http.NewRequest(http.MethodPost, url+s.path, nil)
	if err != nil {
		return "", err
	}
	if hold > 0 {
		request.Header.Set("x-envoy-fault-delay-request", strconv.FormatInt(hold.Milliseconds(), 10))
	}
	began := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", err
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("status %d %q", response.StatusCode, body)
	case time.Since(began) < hold*9/10: // Envoy's timers are a little early
		return "", fmt.Errorf("held %v instead of %v", time.Since(began), hold)
	}
	return response.Header.Get("backend"), nil
}

// record counts one request and its end.
func (tr *traffic) record(s *sender, backend string, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	s.requests++
	if err != nil {
		s.failed++
		tr.failures = append(tr.failures, fmt.Sprintf("%s, %v after swap %d: %v",
			s.name, time.Since(tr.swapped).Round(time.Millisecond), tr.swaps, err))
	}
	if backend != s.backend {
		s.backend, s.streak = backend, 0
	}
	s.streak++
}

// swap notes that the next config is being published.
func (tr *traffic) swap() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.swaps, tr.swapped = tr.swaps+1, time.Now()
}

// reached reports whether all senders of the kinds of these names reach the
// backend, and have done so several times in a row.
func (tr *traffic) reached(backend string, names ...string) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return !slices.ContainsFunc(tr.senders, func(s *sender) bool {
		return slices.Contains(names, s.name) && (s.backend != backend || s.streak < 5)
	})
}

// stop starts no more requests and waits for those that are under way.
func (tr *traffic) stop() {
	tr.ending.Do(func() { close(tr.ended) })
	tr.running.Wait()
}

// tally is how many requests were sent, and how many of them failed.
type tally struct{ requests, failed int }

// count returns the tally of the kinds of these names, or of all.
func (tr *traffic) count(names ...string) tally {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var sum tally
	for _, s := range tr.senders {
		if len(names) == 0 || slices.Contains(names, s.name) {
			sum.requests, sum.failed = sum.requests+s.requests, sum.failed+s.failed
		}
	}
	return sum
}

// String says how many requests failed: in all, of each kind, and the first few.
func (tr *traffic) String() string {
	all := tr.count()
	text := fmt.Sprintf("%d of %d requests failed in %d swaps", all.failed, all.requests, tr.swaps)
	separator := " ("
	for _, k := range kinds {
		of := tr.count(k.name)
		text += fmt.Sprintf("%s%s: %d of %d", separator, k.name, of.failed, of.requests)
		separator = ", "
	}
	shown := tr.failures[:min(5, len(tr.failures))]
	return strings.Join(append([]string{text + ")"}, shown...), "\n  ")
}
