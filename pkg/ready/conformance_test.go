package ready_test

import (
	"testing"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// TestConformance runs the shared suite for each way to register a check.
func TestConformance(t *testing.T) {
	// steer returns all that a fake source can do.
	steer := func(s *readytest.Source) readytest.Steer {
		return readytest.Steer{Sync: s.Sync, Fail: s.Fail, Panic: s.Panic}
	}
	// failBy returns what to do for sources that have no error of their own:
	// the program says why with Tier.Fail.
	failBy := func(tier *ready.Tier, name string) func(error) {
		return func(err error) { tier.Fail(name, err) }
	}
	for _, row := range []struct {
		name string
		rig  readytest.Rig
	}{
		{"Wait", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Wait(name, s.Wait)
			return steer(s)
		}}},
		{"Func", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Func(name, s.HasSynced)
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, name), Panic: s.Panic}
		}}},
		{"Chan", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Chan(name, s.Done())
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, name)}
		}}},
		{"Checker", readytest.Rig{Name: "its own name", Register: func(_ *testing.T, tier *ready.Tier, _ string) readytest.Steer {
			s := readytest.NewSource("its own name")
			tier.Checker(s)
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, s.Name())}
		}}},
		{"Syncer", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Syncer(name, s)
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, name), Panic: s.Panic}
		}}},
		{"Cache", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Cache(name, s)
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, name), Panic: s.Panic}
		}}},
		{"Live", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Live(name, s.Wait, ready.LiveOptions{})
			return steer(s)
		}}},
		{"Signal", readytest.Rig{Reported: true, Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			return readytest.Steer{Sync: tier.Signal(name), Fail: failBy(tier, name)}
		}}},
		{"Snapshot by Begin", readytest.Rig{Reported: true, Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := tier.Snapshot(name)
			return readytest.Steer{Sync: func() { s.Begin()() }, Fail: failBy(tier, name)}
		}}},
		{"Snapshot by Expect and Settle", readytest.Rig{Reported: true, Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := tier.Snapshot(name)
			return readytest.Steer{Sync: func() { s.Expect("a", "b"); s.Settle("a"); s.Settle("b") }, Fail: failBy(tier, name)}
		}}},
		{"Backlog", readytest.Rig{Register: func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			committed := func() int64 {
				if s.HasSynced() {
					return 1
				}
				return 0
			}
			tier.Backlog(name, func() int64 { return 1 }, committed)
			return readytest.Steer{Sync: s.Sync, Fail: failBy(tier, name), Panic: s.Panic}
		}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.rig.Bubble = true
			readytest.Conformance(t, row.rig)
		})
		t.Run(row.name+" in real time", func(t *testing.T) {
			row.rig.Bubble = false
			readytest.Conformance(t, row.rig)
		})
	}
}
