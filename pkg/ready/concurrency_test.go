package ready_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// A report and a registration that takes its tier's turn back may meet in any
// order; in none is the later tier left synced with an input pending.
func TestReportMeetsAnAddedInput(t *testing.T) {
	for name, report := range map[string]func(snapshot *ready.Tier) func(){
		"a signal": func(snapshot *ready.Tier) func() { return snapshot.Signal("a") },
		"a snapshot": func(snapshot *ready.Tier) func() {
			s := snapshot.Snapshot("a")
			return func() { s.Begin()() }
		},
		"groups": func(snapshot *ready.Tier) func() {
			s := snapshot.Snapshot("a")
			return func() { s.Expect("g"); s.Settle("g") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 1000 {
				r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
				r.Tier("inputs").Signal("first")()
				reported := report(r.Tier("snapshot"))
				r.Tier("snapshot").Signal("keeps the gate shut")
				var both sync.WaitGroup
				begin := make(chan struct{})
				both.Go(func() { <-begin; reported() })
				both.Go(func() { <-begin; r.Tier("inputs").Signal("added") })
				close(begin)
				both.Wait()
				if c := check(t, r, "snapshot", "a"); c.State == ready.Synced {
					t.Fatal("the check is synced with a check pending in the tier before")
				}
			}
		})
	}
}

// Everything at once, for the race detector; at the end the gate is open.
func TestAllMethodsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
		keep := r.Tier("inputs").Signal("keeps the gate shut")
		start(t, r)
		var all sync.WaitGroup
		for range 8 {
			var p probe
			for _, do := range []func(){
				func() { r.Tier("inputs").Signal("signal")() },
				func() { r.Tier("inputs").Func("func", func() bool { return true }) },
				func() { r.Tier("inputs").Wait("wait", func(context.Context) error { return nil }) },
				func() { r.Tier("inputs").Live("live", p.ask, ready.LiveOptions{}) },
				func() { r.Tier("inputs").Fail("wait", errors.New("no")) },
				func() { s := r.Tier("snapshot").Snapshot("xds"); s.Begin()(); s.Expect("a"); s.Fail("a", errForbidden) },
				func() { _ = r.Tier("inputs").Await(t.Context()) },
				func() { <-r.Tier("snapshot").Snapshot("xds").Inputs() },
				func() { ready.WatchErrors[reflector](r, nil)(t.Context(), "*v1.Pod", errForbidden) },
				func() { _, _, _ = r.Status(), r.Err(), r.AdmissionErr() },
				func() { <-r.Changed() },
				func() { r.Loop("loop")() },
				func() { get(r, "/readyz"); get(r, "/readyz?verbose"); get(r, "/livez") },
			} {
				all.Go(do)
			}
		}
		synctest.Wait()
		keep()
		r.Tier("snapshot").Snapshot("xds").Begin()()
		<-r.Opened()
		all.Wait()
		time.Sleep(time.Minute)
		if w := get(r, "/readyz"); w.Code != http.StatusOK {
			t.Errorf("/readyz = %d %s", w.Code, w.Body)
		}
	})
}
