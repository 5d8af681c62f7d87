package statuspage

import (
	"strings"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Unreachable is the state of a peer that does not answer.
const Unreachable ready.Phase = "unreachable"

// Peer is another replica, as this one has seen it last.
type Peer struct {
	Name        string      `json:"name"` // its address, if it has never answered
	Address     string      `json:"address"`
	Build       string      `json:"build,omitempty"`   // version of its program
	State       ready.Phase `json:"state"`             // or Unreachable
	Error       string      `json:"error,omitempty"`   // why it is unreachable
	Connections int         `json:"connections"`       // of proxies with xDS streams
	Answered    time.Time   `json:"answered,omitzero"` // when it last did
	Differences []string    `json:"differences"`       // where its config is not ours, as "3 clusters of group edge"
}

// Difference is a sentence about the peer's config, "" if it is ours.
func (p Peer) Difference() string {
	if len(p.Differences) == 0 {
		return ""
	}
	return "differs from peer " + p.Name + " in " + strings.Join(p.Differences, "; ")
}
