package ready_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

func TestDefaultTiers(t *testing.T) {
	var got []string
	for _, tier := range ready.New().Status().Tiers {
		got = append(got, tier.Name)
	}
	if diff := cmp.Diff([]string{"inputs", "snapshot"}, got); diff != "" {
		t.Errorf("tiers of New() (-want +got):\n%s", diff)
	}
}

func TestErrorsNameWhatIsPendingAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "informers", "krt", "snapshot")
		informers := r.Tier("informers")
		informers.Chan("endpointslices", readytest.NewSource("s").Done())
		informers.Chan("services", readytest.NewSource("s").Done())
		r.Tier("snapshot").Snapshot("xds")
		start(t, r)
		informers.Fail("endpointslices", errors.New("forbidden"))
		why := "informers: endpointslices failed (forbidden), services pending; krt: nothing registered; snapshot: waits for informers"
		if got := r.Err().Error(); got != "not ready: "+why {
			t.Errorf("Err() = %q, want %q", got, "not ready: "+why)
		}
		if got := r.AdmissionErr().Error(); got != "xdsready: gate is shut: "+why {
			t.Errorf("AdmissionErr() = %q, want %q", got, "xdsready: gate is shut: "+why)
		}
		if got := r.Check(nil).Error(); got != "not ready: "+why {
			t.Errorf("Check() = %q, want %q", got, "not ready: "+why)
		}
	})
}

func TestALongListOfChecksIsCut(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	for i := range 1000 {
		r.Tier("inputs").Signal(fmt.Sprintf("c%03d", i))
	}
	wantText(t, "Err()", r.Err().Error(), "c000 pending, c001 pending", "c009 pending and 990 more")
	if n := len(r.Err().Error()); n > 300 {
		t.Errorf("Err() has %d bytes", n)
	}
	if n := len(tier(t, r, "inputs").Checks); n != 1000 {
		t.Errorf("Status() has %d checks, want all", n)
	}
}

// A Status is a copy: what happens later does not show in it.
func TestStatusIsACopy(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	signal := r.Tier("inputs").Signal("a")
	before := r.Status()
	signal()
	r.Tier("inputs").Signal("b")
	if checks := before.Tiers[0].Checks; before.Ready || len(checks) != 1 || checks[0].State != ready.Pending {
		t.Errorf("the status of before has changed: %+v", before)
	}
}

func TestSecondsCountFromTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "one", "two")
		one, eager := r.Tier("one").Signal("a"), r.Tier("two").Signal("eager", ready.Eager())
		two := r.Tier("two").Signal("b")
		start(t, r)
		time.Sleep(time.Second)
		eager()
		time.Sleep(time.Second)
		one()
		time.Sleep(3 * time.Second)
		two()
		time.Sleep(5 * time.Second)
		s := r.Status()
		got := []float64{s.Uptime, s.Tiers[0].Seconds, s.Tiers[1].Seconds,
			s.Tiers[0].Checks[0].Seconds, s.Tiers[1].Checks[0].Seconds, s.Tiers[1].Checks[1].Seconds}
		if diff := cmp.Diff([]float64{10, 2, 3, 2, 1, 3}, got); diff != "" {
			t.Errorf("seconds of the registry, its tiers and checks (-want +got):\n%s", diff)
		}
	})
}
