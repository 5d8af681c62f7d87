package admission

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// The defaults of Options.
const (
	DefaultHoldTimeout = 30 * time.Second
	DefaultMaxHeld     = 10_000
)

// Mode says what a call meets while the gate is shut.
type Mode int

const (
	// Refuse ends the call with UNAVAILABLE and, if it came through Listener,
	// closes its connection, so that the proxy finds a replica that is ready.
	Refuse Mode = iota
	// Hold keeps the call silent and admits it the moment the gate opens.
	Hold
)

var modeNames = map[Mode]string{Refuse: "refuse", Hold: "hold"}

// String returns the name that ParseMode takes.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return fmt.Sprintf("Mode(%d)", int(m))
}

// ParseMode returns the mode called "refuse" or "hold", as written in a flag.
func ParseMode(name string) (Mode, error) {
	for mode, modeName := range modeNames {
		if name == modeName {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("unknown admission mode %q: want refuse or hold", name)
}

// Options are the settings of an Admission. All fields may stay zero.
type Options struct {
	// Mode is what a call meets while the gate is shut. Zero means Refuse.
	Mode Mode
	// HoldTimeout is how long a call is held before it is refused. Zero means
	// 30 s; to hold no call, use Refuse.
	HoldTimeout time.Duration
	// MaxHeld is how many calls are held at a time; more are refused. Each takes
	// about 8 KiB of memory and, unread, what its proxy has sent: with Envoy's
	// first message, which names all of its extensions, about 75 KiB. Zero means
	// 10,000.
	MaxHeld int
	// MaxHeldConnections is how many connections may have held calls at a time;
	// calls of more are refused. It bounds the proxies where one may open many
	// streams, such as one for each cluster: there MaxHeld must be their
	// product. Zero means MaxHeld.
	MaxHeldConnections int

	// Peer says whether the peer of ctx may be any node at all. It is called for
	// each gated call before the gate is looked at: on an error the call ends with
	// PERMISSION_DENIED and that error's text, so that a stranger neither learns
	// what is pending nor takes a place among the held. It must be safe for
	// concurrent use. Nil means that every peer may.
	Peer func(ctx context.Context) error
	// Authorize says whether the peer of ctx may be served as node; SANs makes
	// one for mTLS. It is called once for each stream, with the first message,
	// and once for each Fetch call. On an error the call ends with
	// PERMISSION_DENIED and that error's text, nothing of it having reached the
	// handler; so do calls whose first message names no node, and streams that
	// name another id or cluster later. So no service under /envoy.service. can
	// be reached whose messages name no node, such as ext_authz. It must be safe
	// for concurrent use. Nil means that every peer may be any node.
	Authorize func(ctx context.Context, node Node) error
	// Group tells which proxies get the same snapshot, for Stored. It must be
	// safe for concurrent use. Nil means that all are in the group "".
	Group func(Node) string
	// Logger gets one warning for each response that a proxy rejects. Nil means
	// slog.Default(). Beside xds.Server, which tells of each rejected resource once,
	// give it slog.DiscardHandler.
	Logger *slog.Logger
}

func (o Options) validate() error {
	switch {
	case modeNames[o.Mode] == "":
		return fmt.Errorf("Mode is %v: want Refuse or Hold", o.Mode)
	case o.HoldTimeout < 0:
		return fmt.Errorf("HoldTimeout is negative: %v", o.HoldTimeout)
	case o.MaxHeld < 0:
		return fmt.Errorf("MaxHeld is negative: %d", o.MaxHeld)
	case o.MaxHeldConnections < 0:
		return fmt.Errorf("MaxHeldConnections is negative: %d", o.MaxHeldConnections)
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.HoldTimeout = cmp.Or(o.HoldTimeout, DefaultHoldTimeout)
	o.MaxHeld = cmp.Or(o.MaxHeld, DefaultMaxHeld)
	o.MaxHeldConnections = cmp.Or(o.MaxHeldConnections, o.MaxHeld)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Group == nil {
		o.Group = func(Node) string { return "" }
	}
	return o
}
