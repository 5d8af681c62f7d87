package ready_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
)

// A note is shown, and changes neither a state nor the gate.
func TestNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		inputs := r.Tier("inputs")
		synced := inputs.Signal("pods")
		start(t, r)
		changed := r.Changed()
		inputs.Note("pods", "no answer from 10.0.0.1\nat all")
		wantState(t, r, "inputs", "pods", ready.Pending, "no answer from 10.0.0.1; at all")
		if !isClosed(changed) {
			t.Error("Changed() does not tell of a note")
		}
		wantText(t, "/readyz?verbose", get(r, "/readyz?verbose").Body.String(), "[-]inputs/pods pending", "no answer from 10.0.0.1; at all")
		wantShut(t, r)

		inputs.Fail("pods", errors.New("forbidden"))
		inputs.Note("pods", "")
		wantState(t, r, "inputs", "pods", ready.Failed, "")
		inputs.Note("pods", "waiting")
		synced()
		wantState(t, r, "inputs", "pods", ready.Synced, "")
		wantOpen(t, r)

		inputs.Note("pods", "stale since noon")
		wantState(t, r, "inputs", "pods", ready.Synced, "stale since noon")
		wantText(t, "/readyz?verbose", get(r, "/readyz?verbose").Body.String(), "[+]inputs/pods ok", "stale since noon")
		wantOpen(t, r)
		changed = r.Changed()
		inputs.Note("pods", "stale since noon")
		if isClosed(changed) {
			t.Error("Changed() tells of a note that was there")
		}
		inputs.Note("pods", "")
		wantState(t, r, "inputs", "pods", ready.Synced, "")
	})
}

// A note of a check that does not exist, or of no tier, is not shown and does no
// harm.
func TestNoteOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		r.Tier("inputs").Signal("pods")
		start(t, r)
		before := get(r, "/readyz/inputs").Body.String()
		changed := r.Changed()
		r.Tier("inputs").Note("nodes", "a")
		var none *ready.Tier
		none.Note("pods", "b")
		if diff := cmp.Diff(before, get(r, "/readyz/inputs").Body.String()); diff != "" || isClosed(changed) {
			t.Errorf("a note of nothing changed something (-before +after):\n%s", diff)
		}
	})
}
