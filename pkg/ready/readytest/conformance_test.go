package readytest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait makes a rig of a wait function and its steering.
func wait(wait func(s *readytest.Source) func(context.Context) error, options ...ready.CheckOption) func(*testing.T, *ready.Tier, string) readytest.Steer {
	return func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
		s := readytest.NewSource(name)
		tier.Wait(name, wait(s), options...)
		return readytest.Steer{Sync: s.Sync, Fail: s.Fail, Panic: s.Panic}
	}
}

// broken are sources with one fault each, and what the suite says about it.
var broken = map[string]struct {
	register func(*testing.T, *ready.Tier, string) readytest.Steer
	says     string
}{
	"never syncs": {
		wait(func(*readytest.Source) func(context.Context) error {
			return func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}), "not within 20s: the gate opens",
	},
	"is synced without a signal": {
		wait(func(*readytest.Source) func(context.Context) error {
			return func(context.Context) error { return nil }
		}), "a source that has not synced: gate open = true",
	},
	"ignores its context": {
		func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			s := readytest.NewSource(name)
			tier.Wait(name, func(context.Context) error { <-s.Done(); return nil })
			return readytest.Steer{Sync: s.Sync}
		}, "Start did not return within 20s of the end of its context",
	},
	"leaves a goroutine behind": {
		wait(func(s *readytest.Source) func(context.Context) error {
			return func(ctx context.Context) error {
				go func() { <-time.After(time.Hour) }()
				return s.Wait(ctx)
			}
		}), "goroutines are left after Start returned",
	},
	"hides its error": {
		wait(func(s *readytest.Source) func(context.Context) error {
			return func(ctx context.Context) error {
				if s.Wait(ctx) != nil {
					return errors.New("something went wrong")
				}
				return nil
			}
		}), "not within 20s: the check is failed with the text the words of the failing source",
	},
	"takes a panic for a sync": {
		wait(func(s *readytest.Source) func(context.Context) error {
			return func(ctx context.Context) error {
				defer func() { _ = recover() }()
				return s.Wait(ctx)
			}
		}), "not within 20s: the check is failed with the text the words of the panic",
	},
	"counts before its turn": {
		wait(func(s *readytest.Source) func(context.Context) error { return s.Wait }, ready.Eager()),
		"the check was synced before the tier before it was complete",
	},
	"forgets that it has synced": {
		func(_ *testing.T, tier *ready.Tier, name string) readytest.Steer {
			return readytest.Steer{Sync: tier.Signal(name)} // and its rig does not say Reported
		}, "not within 20s: the check is synced again",
	},
	"registers another check": {
		func(_ *testing.T, tier *ready.Tier, _ string) readytest.Steer {
			return readytest.Steer{Sync: tier.Signal("another")}
		}, `the rig registered no check "subject"`,
	},
}

const brokenRig = "READYTEST_BROKEN_RIG"

// TestBrokenRig fails for the rig that the environment names; its parent is
// TestConformanceFindsFaults.
func TestBrokenRig(t *testing.T) {
	name, ok := os.LookupEnv(brokenRig)
	if !ok {
		t.Skip("run by TestConformanceFindsFaults")
	}
	readytest.Conformance(t, readytest.Rig{Register: broken[name].register, Bubble: true})
}

// TestConformanceFindsFaults runs the suite for each broken source in a process
// of its own and expects it to fail with the right words.
func TestConformanceFindsFaults(t *testing.T) {
	for name, row := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenRig$")
			suite.Env = append(os.Environ(), brokenRig+"="+name)
			output, err := suite.CombinedOutput()
			var failed *exec.ExitError
			if !errors.As(err, &failed) || !strings.Contains(string(output), row.says) {
				t.Errorf("the suite ended with %v, want a failure that says %q:\n%s", err, row.says, output)
			}
		})
	}
}
