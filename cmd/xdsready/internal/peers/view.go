package peers

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/ready"
)

// View is a peer as it was seen last.
type View struct {
	Name        string // of the replica; the address of one that never answered
	Address     string
	Build       string
	State       string    // a phase, or Unreachable
	Error       string    // why it is unreachable
	Connections int       // of proxies
	At          time.Time // of its last answer; zero: it never answered
	Differences []string  // "3 clusters of group edge"
}

// Unreachable is the state of a peer that does not answer.
const Unreachable = "unreachable"

// states are all that a View can have.
var states = []string{
	string(ready.Starting), string(ready.Ready), string(ready.Degraded), string(ready.Draining), Unreachable,
}

// View returns the peers by address, as they were in the last round.
func (p *Peers) View() []View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.view)
}

// show makes what was found out the view.
func (p *Peers) show() {
	var views []View
	for _, one := range p.sorted() {
		v := View{Name: one.name(), Address: one.address, State: Unreachable, At: one.at}
		if one.answer != nil {
			v.Build, v.Connections, v.Differences = one.answer.GetBuild(), int(one.answer.GetConnections()), one.differences()
		}
		if phase, answers := one.phase(); answers {
			v.State = string(phase)
		}
		if one.err != nil {
			v.Error = one.err.Error()
		}
		views = append(views, v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view = views
}

var (
	peersDesc = prometheus.NewDesc("xdsready_peers",
		"Other replicas that --peers names, by what they said of themselves in the last round.", []string{"state"}, nil)
	parityDesc = prometheus.NewDesc("xdsready_peer_parity",
		"Share of the serving peers whose config is equal to ours, for all node groups; a difference counts once it has persisted for three rounds. 1 without such peers.", nil, nil)
)

// Describe implements prometheus.Collector.
func (p *Peers) Describe(ch chan<- *prometheus.Desc) {
	ch <- peersDesc
	ch <- parityDesc
}

// Collect implements prometheus.Collector.
func (p *Peers) Collect(ch chan<- prometheus.Metric) {
	number := map[string]int{}
	serving, equal := 0, 0
	for _, v := range p.View() {
		number[v.State]++
		if v.State == string(ready.Ready) || v.State == string(ready.Degraded) {
			serving++
			if len(v.Differences) == 0 {
				equal++
			}
		}
	}
	for _, state := range states {
		ch <- prometheus.MustNewConstMetric(peersDesc, prometheus.GaugeValue, float64(number[state]), state)
	}
	parity := 1.0
	if serving > 0 {
		parity = float64(equal) / float64(serving)
	}
	ch <- prometheus.MustNewConstMetric(parityDesc, prometheus.GaugeValue, parity)
}
