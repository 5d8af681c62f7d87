package statuspage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// Proxy is one xDS stream. A proxy that does not use ADS has one for each type.
type Proxy struct {
	Node      string    `json:"node"`            // id; empty before its first message
	Group     string    `json:"group"`           // empty before its first message
	Address   string    `json:"address"`         // host:port of the peer
	Transport string    `json:"transport"`       // sotw or delta
	Since     time.Time `json:"since"`           // when the stream was opened
	State     xds.State `json:"state"`           // the worst of its types
	Lag       float64   `json:"lagSeconds"`      // how long there has been config that it has not acknowledged; 0: it has all
	Waits     string    `json:"waits,omitempty"` // what its next step waits for
	Types     []Type    `json:"types"`           // what it subscribes to, by kind
}

// Type is the state of one resource type on a stream.
type Type struct {
	Type     string    `json:"type"`               // kind, as "cluster"
	State    xds.State `json:"state"`              // SYNCED, STALE, ERROR or NOT_SENT, as in CSDS
	Version  string    `json:"version"`            // last acknowledged; empty: none yet
	Updated  time.Time `json:"updated,omitzero"`   // when that was
	NACK     string    `json:"nack,omitempty"`     // the proxy's words, while it rejects something
	Rejected []string  `json:"rejected,omitempty"` // names of what it rejects, where they are known
}

// ProxyOf is how the page shows a stream of the server.
func ProxyOf(p xds.Proxy) Proxy {
	view := Proxy{
		Node: p.NodeID, Group: p.Group, Address: p.Address, Transport: string(p.Transport), Since: p.Since,
		State: p.State(), Lag: p.Lag.Seconds(), Waits: p.Waits,
	}
	for _, t := range p.Types {
		view.Types = append(view.Types, Type{
			Type: cache.Kind(t.TypeURL), State: t.State, Version: t.Version, Updated: t.Updated, NACK: t.NACK, Rejected: t.Rejected,
		})
	}
	return view
}

// Name is what people know the proxy by.
func (p Proxy) Name() string { return cmp.Or(p.Node, p.Address) }

// Behind is the lag for people; empty if there is none.
func (p Proxy) Behind() string {
	if p.Lag == 0 {
		return ""
	}
	return duration(p.Lag)
}

// mostNames is how many rejected resources a line names.
const mostNames = 3

// Rejection says why the proxy rejects something, and what, unless Envoy's words
// name it, as in "Error adding/updating cluster(s) NAME: why". It is empty if
// nothing is rejected.
func (t Type) Rejection() string {
	names := slices.DeleteFunc(slices.Clone(t.Rejected), func(name string) bool {
		return strings.Contains(t.NACK, " "+name+": ")
	})
	switch {
	case len(names) == 0:
		return t.NACK
	case len(names) > mostNames:
		return fmt.Sprintf("%s and %d more: %s", strings.Join(names[:mostNames], ", "), len(names)-mostNames, t.NACK)
	}
	return strings.Join(names, ", ") + ": " + t.NACK
}
