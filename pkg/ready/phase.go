package ready

// Phase is the state of the whole registry.
//
//	          synced            live_failed
//	starting ────────▶ ready ───────────────▶ degraded
//	    │                │  ◀───────────────     │
//	    │ drain          │     live_recovered    │ drain
//	    ▼                ▼ drain                 ▼
//	 draining ◀──────────┴───────────────────────┘
type Phase string

// The phases. Only Ready makes /readyz green.
const (
	Starting Phase = "starting" // some tier is not complete: the gate is shut
	Ready    Phase = "ready"    // the gate is open, live checks are good
	Degraded Phase = "degraded" // the gate is open, a live check fails
	Draining Phase = "draining" // the run ends; the gate shuts when the drain delay is over
)

// The reasons for a move from one phase to another.
const (
	reasonSynced    = "synced"
	reasonFailed    = "live_failed"
	reasonRecovered = "live_recovered"
	reasonDrain     = "drain"
)

// move is one arrow of the picture above.
type move struct {
	from, to Phase
	reason   string
}

// moves are all legal ones; a phase never changes in another way.
var moves = []move{
	{Starting, Ready, reasonSynced},
	{Ready, Degraded, reasonFailed},
	{Degraded, Ready, reasonRecovered},
	{Starting, Draining, reasonDrain},
	{Ready, Draining, reasonDrain},
	{Degraded, Draining, reasonDrain},
}

// next returns the move that reason causes in phase p, and false where it
// causes none.
func (p Phase) next(reason string) (move, bool) {
	for _, m := range moves {
		if m.from == p && m.reason == reason {
			return m, true
		}
	}
	return move{}, false
}
