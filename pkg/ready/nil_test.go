package ready_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// A nil registry, tier or snapshot is ready in every method, so that code that
// is handed one needs no change in unit tests that have none.
func TestNilRegistryIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *ready.Registry
		wantOpen(t, r)
		if p := r.Phase(); p != ready.Ready {
			t.Errorf("Phase() = %v, want ready", p)
		}
		if s := r.Status(); s.Phase != ready.Ready || s.Tiers == nil {
			t.Errorf("Status() = %+v, want phase ready and tiers that encode as a list", s)
		}
		for _, target := range []string{"/readyz", "/livez", "/startupz", "/readyz?format=json", "/livez?verbose",
			"/readyz/inputs", "/readyz/inputs/pods", "/readyz/inputs/pods?format=json"} {
			if w := get(r, target); w.Code != http.StatusOK {
				t.Errorf("GET %s = %d, want 200", target, w.Code)
			}
		}
		if r.NeedLeaderElection() {
			t.Error("NeedLeaderElection() = true")
		}
		if !r.Run(nil) {
			t.Error("Run() = false")
		}
		if r.Changed() != nil {
			t.Error("Changed() is a channel, and nothing ever changes")
		}
		r.Loop("a")()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if drained := r.WithDrain(ctx, time.Hour); drained != ctx {
			t.Error("WithDrain() waits for a drain of nothing")
		}
		if err := r.Start(ctx); err != nil || ctx.Err() == nil {
			t.Errorf("Start() = %v before its context ended: %v", err, ctx.Err())
		}
		ready.WatchErrors[reflector](r, nil)(ctx, "*v1.Pod", errors.New("forbidden"))
	})
}

func TestNilRegistryIsACollector(t *testing.T) {
	var r *ready.Registry
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(r); err != nil {
		t.Fatal(err)
	}
	wantText(t, "the exposition", exposition(t, registry), "xdsready_ready 1\n", "xdsready_open 1\n")
}

func TestNilTierIsComplete(t *testing.T) {
	var r *ready.Registry
	inputs := r.Tier("inputs")
	if inputs != nil {
		t.Fatalf("the tier of a nil registry is %v, want nil", inputs)
	}
	never := func() bool { t.Error("the source of a nil tier was asked"); return false }
	count := func() int64 { never(); return 0 }
	wait := func(context.Context) error { never(); return nil }
	s := readytest.NewSource("s")
	chained := inputs.Wait("a", wait).Func("b", never, ready.Listed(never)).Chan("c", s.Done()).Checker(s).Syncer("d", s).
		Cache("e", s, ready.Eager()).Backlog("f", count, count).Live("g", wait, ready.LiveOptions{}).Checker(nil).
		Syncer("nil", nil).Cache("nil", nil, ready.Optional(time.Second))
	if chained != nil {
		t.Errorf("a chain on a nil tier = %v, want nil", chained)
	}
	inputs.Signal("h")()
	inputs.Fail("h", errors.New("no"))
	if err := inputs.Await(t.Context()); err != nil {
		t.Errorf("Await() = %v, want nil", err)
	}
	if s.Waits()+s.Looks() != 0 {
		t.Error("the source of a nil tier was asked")
	}
}

func TestNilSnapshotIsSynced(t *testing.T) {
	var tier *ready.Tier
	s := tier.Snapshot("xds")
	if s != nil {
		t.Fatalf("the snapshot of a nil tier is %v, want nil", s)
	}
	if !isClosed(s.Inputs()) {
		t.Error("Inputs() is not closed")
	}
	s.Begin()()
	s.Expect("a")
	s.Settle("a")
	s.Fail("a", errors.New("no"))
}
