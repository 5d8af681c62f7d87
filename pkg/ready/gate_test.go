package ready_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/xdsready/xdsready/pkg/ready"
)

// The gate is read for each stream and each probe.
func TestReadingTheGateAllocatesNothing(t *testing.T) {
	for name, r := range map[string]*ready.Registry{"open": open(), "shut": ready.NewWithOptions(quiet()), "nil": nil} {
		if n := testing.AllocsPerRun(100, func() { _, _ = r.Ready(), r.Open() }); n != 0 {
			t.Errorf("%s gate: %v allocations, want none", name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = open().Ready() }); n == 0 {
		t.Error("the measurement sees no allocations where there are some")
	}
}

// discard is a ResponseWriter that costs nothing itself.
type discard struct {
	header http.Header
	code   int
	size   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { d.size += len(p); return len(p), nil }
func (d *discard) WriteHeader(code int)        { d.code = code }

// A plain probe is rendered once for each change: it costs the same with 1 and
// with 1,000 checks.
func TestPlainReadyzCostsTheSameWithAnyNumberOfChecks(t *testing.T) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, green := range []bool{true, false} {
		for _, checks := range []int{1, 10, 1000} {
			t.Run(fmt.Sprintf("green=%t/%d checks", green, checks), func(t *testing.T) {
				r := ready.NewWithOptions(quiet(), "inputs")
				var signals []func()
				for i := range checks {
					signals = append(signals, r.Tier("inputs").Signal(fmt.Sprintf("check-%d", i)))
				}
				for i := 0; green && i < checks; i++ {
					signals[i]()
				}
				if r.Ready() != green {
					t.Fatalf("Ready() = %t, want %t", r.Ready(), green)
				}
				w := &discard{header: http.Header{}}
				if n := testing.AllocsPerRun(100, func() { r.ServeHTTP(w, request) }); n != 0 {
					t.Errorf("%v allocations for each probe, want none", n)
				}
				if green != (w.code == 0) || w.size == 0 {
					t.Errorf("status code %d, %d bytes", w.code, w.size)
				}
			})
		}
	}
}
