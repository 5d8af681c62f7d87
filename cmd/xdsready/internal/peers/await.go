package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/ready"
)

const (
	// askAgain is how soon a peer that did not answer is asked again.
	askAgain = 500 * time.Millisecond
	// reachInterval is how often this replica looks how far it is itself.
	reachInterval = 5 * time.Millisecond
)

// newest is what the peers had taken in when they were asked.
type newest []mark

// mark is how far one peer was with one input.
type mark struct {
	peer string
	*peersv1.Watermark
}

// Await returns nil when this replica has read at least as much as each peer had
// when it was asked, and what derives from that has followed. A peer counts from
// its opening on: before, no proxy has seen anything of it, and replicas that
// start together must not wait for each other. An address where nothing listens
// counts as no peer; any other that gives no answer is asked again until Deadline,
// after which Await waits for ctx to end.
//
// The peers are asked once: what they learn later is not waited for.
func (p *Peers) Await(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, p.options.Deadline)
	defer cancel()
	marks, err := p.collect(waiting)
	if err == nil {
		err = p.reach(waiting, marks)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		p.options.Logger.Warn("the start goes on without knowing that this replica has read what its peers had", "waited for", err.Error(),
			"--peers-deadline", p.options.Deadline)
	}
	<-ctx.Done() // the check is given up at the same deadline
	return ctx.Err()
}

// collect asks until every peer has answered, or is none.
func (p *Peers) collect(ctx context.Context) (newest, error) {
	asked := map[string]newest{} // by address
	for {
		missing := p.collectRound(ctx, asked)
		if missing == "" {
			break
		}
		p.options.Waiting(missing)
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, waitedFor(missing)
		}
	}
	var all newest
	for _, marks := range asked {
		all = append(all, marks...)
	}
	return all, nil
}

// waitedFor is an error that says what did not come.
type waitedFor string

// Error implements error.
func (w waitedFor) Error() string { return string(w) }

// collectRound asks the peers, and returns what is still missing. With inputs
// that cannot be compared nothing ever is.
func (p *Peers) collectRound(ctx context.Context, asked map[string]newest) (missing string) {
	p.round.Lock()
	defer p.round.Unlock()
	err := p.askAll(ctx)
	p.show()
	switch {
	case len(p.options.Inputs.Watermarks()) == 0:
		return ""
	case err != nil:
		return err.Error()
	}
	var silent []string
	for _, one := range p.sorted() {
		_, before := asked[one.address]
		switch {
		case before:
		case one.none():
			asked[one.address] = nil
		case one.err != nil:
			silent = append(silent, fmt.Sprintf("peer %s: %v", one.address, one.err))
		default:
			asked[one.address] = one.marks()
		}
	}
	return strings.Join(silent, "; ")
}

// none reports whether an address is none of a peer that could answer: nothing
// listens there, or a program that knows no peers.
func (one *peer) none() bool {
	return errors.Is(one.err, errRefused) || errors.Is(one.err, errUnknown)
}

// marks are how far the peer is, if a proxy has seen anything of that.
func (one *peer) marks() newest {
	if phase, _ := one.phase(); phase == ready.Starting {
		return nil
	}
	var marks newest
	for _, w := range one.answer.GetWatermarks() {
		marks = append(marks, mark{one.name(), w})
	}
	return marks
}

// reach waits until this replica is as far as the marks.
func (p *Peers) reach(ctx context.Context, marks newest) error {
	tick := time.NewTicker(reachInterval)
	defer tick.Stop()
	told := map[string]bool{} // what cannot be compared, said once
	for {
		behind, odd := marks.beyond(p.options.Inputs.Watermarks())
		for _, text := range odd {
			if !told[text] {
				told[text] = true
				p.options.Logger.Warn("a peer's input cannot be compared", "reason", text)
			}
		}
		if behind == "" && !p.options.Inputs.Settled() {
			behind = "what was read is not worked in yet"
		}
		if behind == "" {
			return nil
		}
		p.options.Waiting(behind)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return waitedFor(behind)
		}
	}
}

// beyond says which marks this replica has not reached, and which cannot be
// compared. What the peer alone reads, or in another cluster, is nothing to wait
// for.
func (n newest) beyond(own []source.Watermark) (behind string, odd []string) {
	type input struct{ cluster, resource string }
	reached := map[input]string{}
	for _, w := range own {
		reached[input{w.Cluster, w.Resource}] = w.Reached
	}
	var list []string
	for _, m := range n {
		here, ok := reached[input{m.GetCluster(), m.GetResource()}]
		if !ok || m.GetVersion() == "" {
			continue
		}
		order, err := -1, error(nil)
		if here != "" {
			order, err = resourceversion.CompareResourceVersion(here, m.GetVersion())
		}
		switch {
		case err != nil:
			odd = append(odd, fmt.Sprintf("peer %s: %s at %.40q, here at %q: %v", m.peer, m.GetResource(), m.GetVersion(), here, err))
		case order < 0:
			list = append(list, fmt.Sprintf("peer %s had read %s up to %s, here it is %s", m.peer, m.GetResource(), m.GetVersion(), orNothing(here)))
		}
	}
	return strings.Join(list, "; "), odd
}

func orNothing(version string) string {
	if version == "" {
		return "nothing yet"
	}
	return version
}
