// Package verdict decides what a world of a chaos run has to answer for: which
// requests failed without an excuse, what vanished from a proxy, and which proxy
// was left behind. It is a pure function of what it is told, in the order in
// which it is told; times are since the beginning of the run.
package verdict

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
)

// Window is how old the configuration of a proxy may be: no event keeps a proxy
// from its updates longer, with the 40 s after which it gives up a silent
// connection.
const Window = 90 * time.Second

// Request is a request that was sent through a proxy, and its end.
type Request struct {
	From, To time.Duration
	Proxy    string
	Target   string // listener and path
	Reused   bool   // on a connection that had one before
	Status   int    // of the answer; 0: there was none
	// Reason is what the proxy, or if it did not answer our client, gives for a
	// status that is not 2xx.
	Reason string
	// Upstream is the number of the backend that the proxy says it failed at; or None.
	Upstream int
	Revision int // of the route table, as the answer says; 0 if there was none
}

// None is no backend.
const None = -1

// The transports of xDS.
const (
	Delta = "delta"
	SotW  = "sotw"
)

// View is what a proxy has, as it says itself.
type View struct {
	Listeners []string
	Clusters  map[string][]int // the backends of each cluster
}

// Vanished is something that a proxy had to have and did not.
type Vanished struct {
	At    time.Duration
	Proxy string
	What  string
}

// String is the finding in a line.
func (v Vanished) String() string { return fmt.Sprintf("%s: %s", v.Proxy, v.What) }

// Checker takes what happens in one world. It is safe for concurrent use.
type Checker struct {
	mu       sync.Mutex // guards what follows
	versions []published
	fewest   map[string]int // endpoints that each cluster had at least, in any version
	outages  []outage
	proxies  map[string]*proxy
	requests int
	failed   []Request
	vanished []Vanished
	longest  Wait
}

// published is a version and when it came.
type published struct {
	at     time.Duration
	config config.Config
}

// outage is a time without a backend.
type outage struct {
	backend  int
	from, to time.Duration
}

// proxy is what is known of one.
type proxy struct {
	transport string
	revisions map[string]int // of the latest answers, by team
	held      int            // the newest version that it was seen to have
	lacking   bool           // the last sample lacked something; it is reported once
	// whole are the clusters that it had with enough endpoints in the last sample.
	whole map[string]bool
}

// Wait is how long a proxy waited for a version, or a newer one.
type Wait struct {
	Proxy   string
	Version int
	For     time.Duration
}

// New returns a checker for a world with these proxies: the transport of each, by name.
func New(transports map[string]string) *Checker {
	c := &Checker{fewest: map[string]int{}, proxies: map[string]*proxy{}}
	for name, transport := range transports {
		c.proxies[name] = &proxy{transport: transport, revisions: map[string]int{}, held: -1}
	}
	return c
}

// Publish tells of a new version, before any replica can have it. Versions count
// from 0.
func (c *Checker) Publish(at time.Duration, next config.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.versions = append(c.versions, published{at, next})
	for cluster, endpoints := range next.Clusters() {
		if have, found := c.fewest[cluster]; !found || len(endpoints) < have {
			c.fewest[cluster] = len(endpoints)
		}
	}
}

// Outage tells that a backend was away on purpose.
func (c *Checker) Outage(backend int, from, to time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outages = append(c.outages, outage{backend, from, to})
}

// Request tells of a request through a listener, which is its team's name.
func (c *Checker) Request(listener string, r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if r.Status < 200 || r.Status > 299 {
		c.failed = append(c.failed, r)
		return
	}
	c.proxies[r.Proxy].revisions[listener] = r.Revision
}

// Sample tells what a proxy had at a time.
func (c *Checker) Sample(at time.Duration, name string, view View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.proxies[name]
	what := c.lacking(at, p, view)
	// Before it has had its first configuration, a proxy has nothing to lose.
	if what != "" && !p.lacking && p.held >= 0 {
		c.vanished = append(c.vanished, Vanished{At: at, Proxy: name, What: what})
	}
	p.lacking = what != ""
	for version := len(c.versions) - 1; version > p.held; version-- {
		if !matches(c.versions[version].config, view, p.revisions) {
			continue
		}
		if wait := at - c.versions[p.held+1].at; wait > c.longest.For && p.held >= 0 {
			c.longest = Wait{Proxy: name, Version: p.held + 1, For: wait}
		}
		p.held = version
	}
}

// Holds reports whether all proxies were seen to have this version, or a newer one.
func (c *Checker) Holds(version int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.proxies {
		if p.held < version {
			return false
		}
	}
	return true
}

// lacking says what the view has less of than every version that a proxy may
// have at that time; nothing if it has enough. The teams' files change apart, so
// each may be of another version.
func (c *Checker) lacking(at time.Duration, p *proxy, view View) string {
	before := p.whole
	p.whole = map[string]bool{}
	for cluster, endpoints := range view.Clusters {
		p.whole[cluster] = len(endpoints) >= c.fewest[cluster]
	}
	for number, team := range config.Names {
		if !slices.Contains(view.Listeners, team) {
			return "listener " + team
		}
		if missing := c.missing(at, number, p); missing != "" {
			return missing
		}
	}
	// What is on its way out may still be in use. But a cluster that is new may
	// be out of date when it comes, and then it gets no endpoints.
	for _, cluster := range slices.Sorted(maps.Keys(view.Clusters)) {
		if before[cluster] && !p.whole[cluster] {
			return fmt.Sprintf("endpoints of %s: it has %d left of %d", cluster, len(view.Clusters[cluster]), c.fewest[cluster])
		}
	}
	return ""
}

// missing says which clusters of a team are not there with enough endpoints, by
// the newest version, unless all of some version are. A proxy that got no update
// for longer may have what it was seen to have.
func (c *Checker) missing(at time.Duration, team int, p *proxy) string {
	var newest string
	for i, version := range slices.Backward(c.versions) {
		var without []string
		for _, s := range version.config.Teams[team].Services {
			if !p.whole[s.Cluster()] {
				without = append(without, s.Cluster())
			}
		}
		if len(without) == 0 {
			return ""
		}
		if i == len(c.versions)-1 {
			newest = fmt.Sprintf("clusters %v of version %d, or their endpoints, and some of each older version", without, i)
		}
		if version.at < at-Window && i <= p.held {
			break
		}
	}
	return newest
}

// matches reports whether a proxy with this view has all of the version. It may
// have more: clusters are removed late.
func matches(version config.Config, view View, revisions map[string]int) bool {
	for team, revision := range version.Revisions() {
		if revisions[team] != revision || !slices.Contains(view.Listeners, team) {
			return false
		}
	}
	for cluster, endpoints := range version.Clusters() {
		if !slices.Equal(endpoints, view.Clusters[cluster]) {
			return false
		}
	}
	return true
}

// Tally is how much was counted so far; of the failed requests some may yet be
// excused.
func (c *Checker) Tally() (requests, failed, vanished int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, len(c.failed), len(c.vanished)
}
