package ready_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

func TestStartTwiceIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet())
		stop := start(t, r)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Start(over); err == nil || !strings.Contains(err.Error(), "already started") {
			t.Errorf("the second Start = %v, want an error that says so", err)
		}
		if err := stop(); err != nil {
			t.Errorf("the first Start = %v, want nil", err)
		}
		if err := r.Start(over); err == nil {
			t.Error("Start after the end of a run = nil, want an error")
		}
	})
}

// synctest reports any goroutine that outlives the bubble.
func TestStartReturnsWhenAllItsGoroutinesHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		ended := false
		pending := readytest.NewSource("pending")
		r.Tier("inputs").
			Wait("slow to end", func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Minute)
				ended = true
				return ctx.Err()
			}).
			Wait("backing off", func(context.Context) error { return errors.New("no") }).
			Func("polled", pending.HasSynced, ready.Listed(pending.HasSynced), ready.Optional(time.Hour)).
			Chan("channel", pending.Done()).
			Live("live", pending.Wait, ready.LiveOptions{})
		stop := start(t, r)
		if err := stop(); err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
		if !ended {
			t.Error("Start returned before its wait had")
		}
		wantShut(t, r)
		wantText(t, "Err()", r.Err().Error(), "draining")
	})
}

func TestEndOfTheRunShutsTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open()
		changed := r.Changed()
		stop := start(t, r)
		<-changed
		wantOpen(t, r)
		if err := stop(); err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
		wantShut(t, r)
		if s := r.Status(); s.Phase != ready.Draining {
			t.Errorf("phase after the run is %s, want draining", s.Phase)
		}
		if got, want := r.AdmissionErr().Error(), "xdsready: gate is shut: draining"; got != want {
			t.Errorf("AdmissionErr() = %q, want %q", got, want)
		}
	})
}

func TestRegistryThatIsNotStartedSaysSo(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Wait("a", func(context.Context) error { return nil })
	if got, want := r.Err().Error(), "not ready: the registry is not started; inputs: a pending"; got != want {
		t.Errorf("Err() = %q, want %q", got, want)
	}
}

func TestDeadline(t *testing.T) {
	for _, row := range []struct {
		name     string
		options  ready.Options
		deadline time.Duration
		err      error
	}{
		{"by default 5 min, and the start goes on", ready.Options{}, 5 * time.Minute, nil},
		{"as told, and the start goes on", ready.Options{Deadline: time.Second}, time.Second, nil},
		{"Exit ends Start", ready.Options{Deadline: time.Second, OnDeadline: ready.Exit}, time.Second, ready.ErrDeadline},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var missed []ready.Event
				row.options.Logger = quiet().Logger
				row.options.OnEvent = func(e ready.Event) {
					if e.Kind == ready.EventDeadline {
						missed = append(missed, e)
					}
				}
				r := ready.NewWithOptions(row.options, "inputs")
				signal := r.Tier("inputs").Signal("a")
				began := time.Now()
				stop := start(t, r)
				time.Sleep(row.deadline - time.Nanosecond)
				synctest.Wait()
				if len(missed) != 0 || strings.Contains(r.Err().Error(), "deadline") {
					t.Fatalf("missed before the deadline: %+v; Err: %v", missed, r.Err())
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if len(missed) != 1 || missed[0].Elapsed != row.deadline || time.Since(began) != row.deadline ||
					!strings.Contains(missed[0].Reason, "inputs: a pending") {
					t.Errorf("deadline events: %+v, want one that names the check", missed)
				}
				wantShut(t, r)
				if row.err != nil {
					err := stop()
					if !errors.Is(err, row.err) {
						t.Fatalf("Start = %v, want %v", err, row.err)
					}
					wantText(t, "Start's error", err.Error(), "after "+row.deadline.String(), "inputs: a pending")
					return
				}
				for _, target := range []string{"/readyz", "/readyz?verbose", "/readyz?format=json"} {
					wantText(t, target, get(r, target).Body.String(), "start deadline of "+row.deadline.String()+" exceeded")
				}
				signal()
				wantOpen(t, r)
				if m := r.Status().Message; m != "" {
					t.Errorf("the status still says %q after opening", m)
				}
			})
		})
	}
}

func TestNoDeadline(t *testing.T) {
	for _, row := range []struct {
		name    string
		options ready.Options
		open    bool
	}{
		{"a negative one is none", ready.Options{Deadline: -1, OnDeadline: ready.Exit}, false},
		{"opened in time", ready.Options{Deadline: time.Second, OnDeadline: ready.Exit}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.options.Logger = quiet().Logger
				r := ready.NewWithOptions(row.options, "inputs")
				signal := r.Tier("inputs").Signal("a")
				stop := start(t, r)
				if row.open {
					signal()
				}
				time.Sleep(100 * time.Hour)
				if m := r.Status().Message; m != "" {
					t.Errorf("the status says %q", m)
				}
				if err := stop(); err != nil {
					t.Errorf("Start = %v, want nil", err)
				}
			})
		})
	}
}

// A manager must start it on every replica: followers serve proxies too.
func TestRegistryNeedsNoLeader(t *testing.T) {
	if ready.NewWithOptions(quiet()).NeedLeaderElection() {
		t.Error("NeedLeaderElection() = true, want false")
	}
}

func TestRunReturnsTrueWhenOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		s := readytest.NewSource("a")
		r.Tier("inputs").Checker(s)
		stop := make(chan struct{})
		opened := make(chan bool, 1)
		go func() { opened <- r.Run(stop) }()
		synctest.Wait()
		if len(opened) != 0 {
			t.Fatal("Run returned before the gate was open")
		}
		s.Sync()
		if !<-opened {
			t.Error("Run = false with the gate open")
		}
		wantOpen(t, r) // it goes on in the background
		close(stop)
		synctest.Wait()
		wantShut(t, r)
	})
}

func TestRunReturnsFalseWhenStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		r.Tier("inputs").Checker(readytest.NewSource("a"))
		stop := make(chan struct{})
		close(stop)
		if r.Run(stop) {
			t.Error("Run = true although it was stopped")
		}
	})
}

// Both may be ready at once; what counts is whether the gate opened.
func TestRunOfAnOpenGateThatIsStopped(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			stop := make(chan struct{})
			close(stop)
			if !open().Run(stop) {
				t.Fatal("Run = false although the gate is open")
			}
			synctest.Wait()
		})
	}
}

func TestRunOfARegistryThatRunsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		start(t, r)
		if r.Run(make(chan struct{})) {
			t.Error("Run = true with the gate shut")
		}
	})
}

func TestWithDrain(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		r := open()
		cause := errors.New("SIGTERM")
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		drained := r.WithDrain(ctx, 5*time.Second)
		ended := make(chan error, 1)
		go func() { ended <- r.Start(drained) }()
		synctest.Wait()
		wantOpen(t, r)
		if drained.Value(key{}) != "value" {
			t.Error("the returned context has not the values of the given one")
		}

		cancel(cause)
		synctest.Wait()
		wantBits(t, r, false, true)
		wantText(t, "/readyz while draining", get(r, "/readyz").Body.String(), "not ready: draining\n")
		if drained.Err() != nil {
			t.Error("the returned context ended at once")
		}
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		wantBits(t, r, false, true)
		if drained.Err() != nil {
			t.Error("the returned context ended before the delay")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		wantBits(t, r, false, false)
		if !errors.Is(context.Cause(drained), cause) {
			t.Errorf("the returned context ended with %v, want %v", context.Cause(drained), cause)
		}
		if err := <-ended; err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
	})
}

// A start that drains never opens the gate, whatever is reported meanwhile.
func TestDrainBeforeOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		signal := r.Tier("inputs").Signal("a")
		ctx, cancel := context.WithCancel(t.Context())
		drained := r.WithDrain(ctx, time.Second)
		cancel()
		synctest.Wait()
		signal()
		wantShut(t, r)
		<-drained.Done()
		wantShut(t, r)
		if isClosed(r.Opened()) {
			t.Error("Opened() is closed")
		}
	})
}

// A registry that ends with the undelayed context leaves the gate to the drain.
func TestEndOfTheRunWaitsForTheDrainDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open()
		ctx, cancel := context.WithCancel(t.Context())
		drained := r.WithDrain(ctx, time.Second)
		ended := make(chan error, 1)
		go func() { ended <- r.Start(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
		wantBits(t, r, false, true)
		<-drained.Done()
		wantBits(t, r, false, false)
	})
}

func TestWithDrainWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open()
		ctx, cancel := context.WithCancel(t.Context())
		drained := r.WithDrain(ctx, -time.Second)
		began := time.Now()
		cancel()
		<-drained.Done()
		if took := time.Since(began); took != 0 {
			t.Errorf("the drain took %v, want none", took)
		}
		wantShut(t, r)
	})
}

// Of two drains, as of two servers with delays of their own, the longer decides
// when the gate shuts: until then somebody still serves.
func TestTwoDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open()
		ctx, cancel := context.WithCancel(t.Context())
		short, long := r.WithDrain(ctx, time.Second), r.WithDrain(ctx, 5*time.Second)
		cancel()
		<-short.Done()
		wantBits(t, r, false, true)
		<-long.Done()
		wantBits(t, r, false, false)
	})
}

func TestMetricsAreRegisteredForTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registerer := prometheus.NewPedanticRegistry()
		for range 2 { // a program that starts over in place finds the names free
			options := quiet()
			options.Registerer = registerer
			r := ready.NewWithOptions(options, "inputs")
			stop := start(t, r)
			families, err := registerer.Gather()
			if err != nil || len(families) == 0 {
				t.Errorf("while it runs: %d families, error %v", len(families), err)
			}
			if err := stop(); err != nil {
				t.Errorf("Start = %v, want nil", err)
			}
			if families, _ := registerer.Gather(); len(families) != 0 {
				t.Errorf("after the run: %d families, want none", len(families))
			}
		}
	})
}

// A program that starts over while the run before still drains: the new run has
// the metrics, and the old one's end does not take them away.
func TestMetricsAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registerer := prometheus.NewPedanticRegistry()
		options := quiet()
		options.Registerer = registerer
		stopOld := start(t, ready.NewWithOptions(options, "old"))
		stopNew := start(t, ready.NewWithOptions(options, "new"))
		if err := stopOld(); err != nil {
			t.Errorf("the old Start = %v, want nil", err)
		}
		families, err := registerer.Gather()
		if err != nil || !strings.Contains(fmt.Sprint(families), `"new"`) || strings.Contains(fmt.Sprint(families), `"old"`) {
			t.Errorf("after the old run: %v, error %v, want the metrics of the new one", families, err)
		}
		if err := stopNew(); err != nil {
			t.Errorf("the new Start = %v, want nil", err)
		}
		if families, _ := registerer.Gather(); len(families) != 0 {
			t.Errorf("after both runs: %d families, want none", len(families))
		}
	})
}

// Metrics that somebody else has taken are no reason to keep proxies out.
func TestGateOpensWithoutMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registerer := prometheus.NewPedanticRegistry()
		registerer.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "xdsready_ready", Help: "Another."}))
		var log strings.Builder
		r := ready.NewWithOptions(ready.Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)), Registerer: registerer,
		}, "inputs")
		synced := r.Tier("inputs").Signal("a")
		stop := start(t, r)
		synced()
		wantOpen(t, r)
		if err := stop(); err != nil {
			t.Errorf("Start = %v, want nil", err)
		}
		wantText(t, "the log", log.String(), "the readiness metrics are not registered")
	})
}
