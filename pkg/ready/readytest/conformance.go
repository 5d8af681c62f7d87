package readytest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Limit is how long Conformance waits for anything that must happen. In a
// synctest bubble it is fake time.
const Limit = 20 * time.Second

// Rig is what an adapter brings to Conformance: how to make one source of its
// kind, register it as a check, and steer it. Only Register is required.
type Rig struct {
	// Register makes a fresh source that is not synced, registers it in tier
	// under the given name, and returns how to steer it. What it starts must
	// end with the test (t.Cleanup, t.Context).
	Register func(t *testing.T, tier *ready.Tier, name string) Steer
	// Name is the check's name where the source brings its own. Empty means
	// the name that Register is given.
	Name string
	// Bubble runs each part of the suite in a synctest bubble: exact and fast.
	// Leave it false for sources that use the network or goroutines of before.
	Bubble bool
	// Reported says that the source is reported by hand (a signal, a snapshot):
	// what it reports before its turn is lost and must be reported again. False
	// means that the source keeps its state: once synced it stays synced, and
	// the check sees it when its turn comes.
	Reported bool
}

// Steer moves one source.
type Steer struct {
	// Sync makes the source synced, or reports it. Required.
	Sync func()
	// Fail makes the source fail while it is pending, with that error's text to
	// be shown. Nil means that this kind of source cannot fail.
	Fail func(err error)
	// Panic makes foreign code that the registry calls panic with v, until
	// Sync. Nil means that the registry calls no foreign code of this source.
	Panic func(v any)
}

// Conformance checks what every kind of check source must do:
//
//   - it is pending and keeps the gate shut until it syncs, and opens it then;
//   - its wait starts at its tier's turn, and what it reports earlier does not
//     count: it is never synced before the tiers before it are complete;
//   - the text of its error is shown by Status, Err and /readyz, and it can
//     still sync afterwards;
//   - a panic is a failed check with the panic's text, and it can still sync;
//   - it is asked again when a tier before it gets a new check;
//   - it ends with the registry's context, pending or synced, and leaves no
//     goroutine behind.
func Conformance(t *testing.T, rig Rig) {
	t.Helper()
	for _, part := range []struct {
		name string
		run  func(*bench)
	}{
		{"opens the gate when it has synced, not before", (*bench).opens},
		{"synced before the start is seen at its turn", (*bench).opensWhenSyncedBeforeStart},
		{"what is reported before its turn does not count", (*bench).ignoresEarlyReports},
		{"shows the text of its error and syncs after it", (*bench).showsErrors},
		{"a panic is a failed check and it syncs after it", (*bench).survivesPanics},
		{"is asked again after an input was added", (*bench).isAskedAgain},
		{"ends with the context while pending", (*bench).endsPending},
		{"ends with the context when synced", (*bench).endsSynced},
		{"as nil tier it does nothing", (*bench).doesNothingOnNilTier},
	} {
		t.Run(part.name, func(t *testing.T) {
			if rig.Bubble {
				synctest.Test(t, func(t *testing.T) { part.run(newBench(t, rig)) })
				return
			}
			part.run(newBench(t, rig))
		})
	}
}

func (b *bench) opens() {
	b.start()
	b.turn()
	b.settle()
	if c := b.check(); b.registry.Open() || c.State != ready.Pending {
		b.t.Errorf("a source that has not synced: gate open = %t, check is %s (%q); want shut and pending",
			b.registry.Open(), c.State, c.Message)
	}
	b.steer.Sync()
	b.untilOpen()
	b.stop()
}

func (b *bench) opensWhenSyncedBeforeStart() {
	b.first()
	b.steer.Sync()
	b.start()
	b.untilOpen()
	b.stop()
}

func (b *bench) ignoresEarlyReports() {
	b.start()
	b.steer.Sync()
	b.settle()
	if c := b.check(); b.registry.Open() || c.State == ready.Synced {
		b.t.Errorf("reported before its turn: gate open = %t, check is %s; want shut and not synced", b.registry.Open(), c.State)
	}
	b.turn()
	if b.rig.Reported {
		b.settle()
		if c := b.check(); b.registry.Open() || c.State == ready.Synced {
			b.t.Errorf("its early report was remembered: gate open = %t, check is %s", b.registry.Open(), c.State)
		}
		b.steer.Sync()
	}
	b.untilOpen()
	b.stop()
	b.wantOrder()
}

func (b *bench) showsErrors() {
	if b.steer.Fail == nil {
		b.t.Skip("this kind of source cannot fail")
	}
	b.start()
	b.turn()
	const text = "the words of the failing source"
	b.steer.Fail(errors.New(text))
	b.shows(text)
	b.steer.Sync()
	b.untilOpen()
	b.stop()
}

func (b *bench) survivesPanics() {
	if b.steer.Panic == nil {
		b.t.Skip("the registry calls no foreign code of this kind of source")
	}
	const text = "the words of the panic"
	b.steer.Panic(text)
	b.start()
	b.turn()
	b.shows(text)
	b.steer.Sync()
	b.untilOpen()
	b.stop()
}

func (b *bench) isAskedAgain() {
	last := b.registry.Tier("second").Signal("keeps the gate shut")
	b.start()
	b.turn()
	b.steer.Sync()
	synced := func() bool { return b.check().State == ready.Synced }
	b.until("the check is synced", synced)
	added := b.registry.Tier("first").Signal("added")
	if synced() {
		b.t.Error("the check is still synced with a new check pending in the tier before")
	}
	added()
	if b.rig.Reported {
		b.settle()
		if synced() {
			b.t.Error("its report was remembered, although it was made without the added input")
		}
		b.steer.Sync()
	}
	b.until("the check is synced again", synced)
	last()
	b.untilOpen()
	b.stop()
}

func (b *bench) endsPending() {
	b.start()
	b.turn()
	b.stop()
	if b.registry.Open() || b.registry.Ready() {
		b.t.Error("the gate opened at the end of the run")
	}
}

func (b *bench) endsSynced() {
	b.start()
	b.turn()
	b.steer.Sync()
	b.untilOpen()
	b.stop()
	if b.registry.Open() || b.registry.Ready() {
		b.t.Error("the gate is still open after the end of the run")
	}
}

func (b *bench) doesNothingOnNilTier() {
	steer := b.rig.Register(b.t, nil, subject)
	steer.Sync()
}
