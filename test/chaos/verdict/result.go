package verdict

import (
	"slices"
	"time"
)

// UnknownVersion is a replica's word that a SotW proxy came with a version which
// that replica has never built. It could not know what the proxy has, so the
// switch that follows has no order.
type UnknownVersion struct {
	At    time.Duration
	Proxy string
}

// Result is what a world has to answer for, and how well it did.
type Result struct {
	Requests int
	// Excused requests failed at a backend that was away on purpose.
	Excused int
	// Explained failed or vanished in a SotW proxy after an UnknownVersion.
	Explained
	Failed   []Request  // for no such reason
	Vanished []Vanished // likewise
	Longest  Wait       // of all updates
	Behind   []string   // proxies that never got the last version
}

// Explained is what the transport cannot do better.
type Explained struct {
	ExplainedFailed   []Request
	ExplainedVanished []Vanished
}

// Faults is how much of the promise was broken.
func (r Result) Faults() int { return len(r.Failed) + len(r.Vanished) + len(r.Behind) }

// explains is how long after an UnknownVersion what happens is put down to it: the
// time for which a new cluster without endpoints warms, and requests wait.
const explains = 20 * time.Second

// grace is how long after its return a backend may still be seen to be away: by
// requests that were sent on connections which it had closed.
const grace = time.Second

// Result returns the verdict, at the end of the run.
func (c *Checker) Result(unknown []UnknownVersion) Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	result := Result{Requests: c.requests, Longest: c.longest}
	explained := func(proxy string, from, to time.Duration) bool {
		return c.proxies[proxy].transport == SotW && slices.ContainsFunc(unknown, func(u UnknownVersion) bool {
			return u.Proxy == proxy && u.At <= to && from <= u.At+explains
		})
	}
	for _, r := range c.failed {
		switch {
		case c.excused(r):
			result.Excused++
		case explained(r.Proxy, r.From, r.To):
			result.ExplainedFailed = append(result.ExplainedFailed, r)
		default:
			result.Failed = append(result.Failed, r)
		}
	}
	for _, v := range c.vanished {
		if explained(v.Proxy, v.At, v.At) {
			result.ExplainedVanished = append(result.ExplainedVanished, v)
		} else {
			result.Vanished = append(result.Vanished, v)
		}
	}
	for name, p := range c.proxies {
		if p.held < len(c.versions)-1 {
			result.Behind = append(result.Behind, name)
		}
	}
	slices.Sort(result.Behind)
	return result
}

// excused reports whether the request failed at a backend while that was away.
func (c *Checker) excused(r Request) bool {
	return slices.ContainsFunc(c.outages, func(o outage) bool {
		return o.backend == r.Upstream && o.from <= r.To && r.From <= o.to+grace
	})
}
