package peers

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// compareTimeout bounds what the comparison with one peer takes in a round.
const compareTimeout = 5 * time.Second

// askAll asks all peers for their state, at the same time. The peers are those
// that the list names now, without this replica itself.
func (p *Peers) askAll(ctx context.Context) error {
	err := p.refresh(ctx)
	p.everything = describe(p.options.Content, nil, nil)
	var asking sync.WaitGroup
	for _, one := range p.peers {
		asking.Go(func() {
			answer, err := one.ask(ctx, p.options.Name, nil, p.everything.GetVersion())
			if one.err = err; err == nil {
				one.answer, one.at = answer, time.Now()
			}
		})
	}
	asking.Wait()
	for address, one := range p.peers {
		if one.err == nil && one.answer.GetReplica() == p.options.Name {
			p.own[address] = true
			p.drop(one)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = p.sorted()
	return err
}

// refresh makes the peers those that the list names now. If that cannot be
// learned they stay as they are.
func (p *Peers) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	named, err := addresses(ctx, p.targets, p.options.Lookup)
	if err != nil || p.closed {
		return err
	}
	for address, one := range p.peers {
		if !slices.Contains(named, address) {
			p.drop(one)
		}
	}
	for _, address := range named {
		if p.peers[address] != nil || p.own[address] {
			continue
		}
		one, err := dial(address, p.options.Dial...)
		if err != nil {
			return err
		}
		p.peers[address] = one
	}
	return nil
}

// drop forgets a peer.
func (p *Peers) drop(one *peer) {
	one.see(nil)
	p.report(one, "it has gone")
	_ = one.conn.Close() // nobody uses it
	delete(p.peers, one.address)
}

// close forgets all peers, for good.
func (p *Peers) close() {
	p.round.Lock()
	defer p.round.Unlock()
	p.closed = true
	for _, one := range p.peers {
		_ = one.conn.Close() // nobody uses it
	}
	clear(p.peers)
}

// lookRound asks all peers and works out what follows for content and load.
func (p *Peers) lookRound(ctx context.Context) {
	p.round.Lock()
	defer p.round.Unlock()
	p.reportLookup(p.askAll(ctx))
	for _, one := range p.sorted() {
		p.compareRound(ctx, one)
	}
	if ctx.Err() != nil {
		return // whatever failed, failed because of that
	}
	p.weigh(time.Now())
	p.show()
}

// sorted returns the peers by address.
func (p *Peers) sorted() []*peer {
	var list []*peer
	for _, address := range slices.Sorted(maps.Keys(p.peers)) {
		list = append(list, p.peers[address])
	}
	return list
}

// compareRound compares the content of a peer that serves with ours. One that
// does not has nothing that is worth comparing; one that does not answer is as it
// was.
func (p *Peers) compareRound(ctx context.Context, one *peer) {
	phase, answers := one.phase()
	switch {
	case !answers:
		return
	case phase == ready.Ready || phase == ready.Degraded:
		ctx, cancel := context.WithTimeout(ctx, compareTimeout)
		defer cancel()
		one.see(p.compare(ctx, one, one.answer.GetContent()))
		p.report(one, "the content is equal")
	default:
		one.see(nil)
		p.report(one, "it is "+string(phase))
	}
}

// reportLookup logs when the list cannot be looked up any more, and when it can.
func (p *Peers) reportLookup(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text != "" && p.lookupErr == "":
		p.options.Logger.Warn("the peers stay those that were known", "error", text)
	case text == "" && p.lookupErr != "":
		p.options.Logger.Info("the peers can be looked up again")
	}
	p.lookupErr = text
}

// weigh compares the load. A peer where nothing listens is none; any other that
// is not ready may be about to take its share, so nobody sheds meanwhile.
func (p *Peers) weigh(now time.Time) {
	willing := p.options.Shed != nil && p.options.Phase() == ready.Ready && p.lookupErr == ""
	var others []int
	for _, one := range p.peers {
		if one.none() {
			continue
		}
		phase, answers := one.phase()
		willing = willing && answers && phase == ready.Ready
		others = append(others, int(one.answer.GetConnections()))
	}
	p.balancer.observe(now, p.options.Connections(), others, willing)
}

// shed asks connections to leave if this replica has more than its fair share.
func (p *Peers) shed(now time.Time) {
	p.round.Lock()
	defer p.round.Unlock()
	if n := p.balancer.next(now, p.options.Connections()); n > 0 {
		asked := p.options.Shed(n)
		p.options.Logger.Debug("connections asked to leave", "asked", asked, "fair share", p.balancer.share)
	}
}
