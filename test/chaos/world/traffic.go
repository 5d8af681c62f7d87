package world

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// sendEvery is the time between two requests of a sender, of which each proxy
// has one that keeps its connections and one that does not.
const sendEvery = 100 * time.Millisecond

// send sends requests through a proxy, to each path of each listener in turn,
// until ctx ends; each is told to the checker.
func (p *proxy) send(ctx context.Context, checker *verdict.Checker, began time.Time, reused bool) {
	client := &http.Client{Timeout: 2 * patience, Transport: &http.Transport{DisableKeepAlives: !reused}}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(sendEvery)
	defer ticker.Stop()
	for {
		for number := range config.Paths("") { // the teams have as many each
			for _, team := range config.Names {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				r := verdict.Request{From: time.Since(began), Proxy: p.name, Reused: reused}
				path := config.Paths(team)[number]
				r.Target = team + path
				p.request(ctx, client, p.listener(team), path, &r)
				r.To = time.Since(began)
				checker.Request(team, r)
			}
		}
	}
}

// request sends one request and notes how it ended. It is a POST, because Go's
// client quietly sends a GET again if its connection breaks. It is not bound to
// the end of the run: a request that is cut short by us would count as failed.
func (p *proxy) request(ctx context.Context, client *http.Client, listener, path string, r *verdict.Request) {
	r.Upstream = verdict.None
	body, err := p.post(ctx, client, "http://"+listener+path, r)
	switch fields := strings.Fields(body); {
	case listener == "":
		r.Reason = "no such listener"
	case err != nil:
		r.Status, r.Reason = 0, cause(err).Error()
	case r.Status == http.StatusOK:
	case len(fields) == 4: // as the listener's local_reply_config has it
		r.Reason = fields[0] + " " + fields[1]
		r.Upstream = p.backends.Number(fields[2])
	default:
		r.Reason = body
	}
}

func (p *proxy) post(ctx context.Context, client *http.Client, url string, r *verdict.Request) (body string, err error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	r.Status = response.StatusCode
	r.Revision, _ = strconv.Atoi(response.Header.Get(config.RevisionHeader))
	return string(all), err
}

// cause is the innermost error, which names no address: failures are counted by it.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
