package xds

import (
	"context"
	"errors"
	"time"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// recallTimeout is how long other replicas have to tell a generation.
const recallTimeout = 500 * time.Millisecond

// Generation names what the proxies of a node group may hold from earlier: the
// resources of a type that have a version together.
type Generation struct {
	Group   string
	TypeURL string
	Version cache.Version
	// Names are those that the proxy asks for; the version may be that of the
	// resources that bear one of them. Nil: it asks for all of the type.
	Names []string
}

// Recall returns the resources of a generation that this server has published, and
// whether it has: the answer to another replica's Options.Recall. It tells only
// types that Options.Recall is asked for, which secrets are not. Private keys can be
// in others too, so see to it that only replicas ask.
func (s *Server) Recall(g Generation) ([]cache.Resource, bool) {
	s.groups.mu.Lock()
	group := s.groups.byName[g.Group]
	s.groups.mu.Unlock()
	if group == nil || !publish.Recallable(g.TypeURL) {
		return nil, false
	}
	edition := group.current.Load()
	if edition == nil {
		return nil, false
	}
	return edition.target.Recall(g.TypeURL, g.Version, publish.NewNames(g.Names))
}

// recall is what came of asking the other replicas.
type recall struct {
	lost   publish.Lost
	served *cache.Snapshot // nil: nobody knows
	err    error           // why
}

// recallNext asks other replicas for the next version that is not known here. The
// goroutine ends when they have answered or the stream ends; there is one at a time.
func (s *stream) recallNext(ctx context.Context) {
	if s.asking || s.server.options.Recall == nil {
		return
	}
	s.mu.Lock()
	lost := s.machine.Lost()
	s.mu.Unlock()
	if len(lost) == 0 {
		return
	}
	s.asking = true
	group, beside := s.proxy.Group, s.edition.target.Snapshot()
	go func() { s.recalls <- s.server.recall(ctx, group, lost[0], beside) }()
}

// recall asks other replicas for a version. What they tell shares memory with the
// snapshot beside.
func (s *Server) recall(ctx context.Context, group string, lost publish.Lost, beside *cache.Snapshot) recall {
	ctx, cancel := context.WithTimeout(ctx, recallTimeout)
	defer cancel()
	r := recall{lost: lost}
	var resources []cache.Resource
	resources, r.err = s.options.Recall(ctx, Generation{group, lost.TypeURL, lost.Version, lost.Names.All()})
	if r.err != nil {
		return r
	}
	served, err := cache.Served(resources, beside)
	switch {
	case err != nil:
		r.err = err
	case served.ContentVersion() != lost.Version || served.Version(lost.TypeURL) != lost.Version:
		r.err = errors.New("the answer has another version: the programs differ in how they encode it")
	default:
		r.served = served
	}
	return r
}

// recalled works in the answer.
func (s *stream) recalled(group *group, r recall) {
	s.asking = false
	s.server.metrics.recalled(r)
	logger := s.server.options.Logger.With("node", s.proxy.NodeID, "group", s.proxy.Group,
		"type", cache.Kind(r.lost.TypeURL), "version", r.lost.Version.String())
	if r.served != nil {
		logger.Debug("another replica has told a version that is not known here")
		group.learn(r.served, time.Now())
		s.follow(group)
	} else {
		logger.Debug("no other replica has told a version that is not known here", "error", r.err)
	}
	s.mu.Lock()
	s.machine.Vain(r.lost)
	s.mu.Unlock()
	s.after()
}
