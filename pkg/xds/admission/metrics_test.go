package admission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var discard = slog.New(slog.DiscardHandler)

// gatherer returns a metrics registry, which checks what it collects, with a.
func gatherer(t *testing.T, a *Admission) prometheus.Gatherer {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(a); err != nil {
		t.Fatal(err)
	}
	return registry
}

// samples are values by name without prefix, with the values of its labels in
// the order of their names, as "responses_total{sotw,cluster}". A histogram has
// a count and a sum.
type samples map[string]float64

// and returns s with more.
func (s samples) and(more samples) samples {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

// scrape returns all samples.
func scrape(t *testing.T, g prometheus.Gatherer) samples {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatalf("gathering: %v", err)
	}
	all := samples{}
	for _, family := range families {
		name := strings.TrimPrefix(family.GetName(), "xdsready_")
		for _, metric := range family.GetMetric() {
			labels := ""
			if len(metric.GetLabel()) > 0 {
				var values []string
				for _, label := range metric.GetLabel() {
					values = append(values, label.GetValue())
				}
				labels = "{" + strings.Join(values, ",") + "}"
			}
			if histogram := metric.GetHistogram(); histogram != nil {
				all[name+"_count"+labels] = float64(histogram.GetSampleCount())
				all[name+"_sum"+labels] = histogram.GetSampleSum()
			} else {
				all[name+labels] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return all
}

// wantSamples compares the samples that are not 0, without those whose name
// begins with one of except.
func wantSamples(t *testing.T, g prometheus.Gatherer, want samples, except ...string) {
	t.Helper()
	got := scrape(t, g)
	maps.DeleteFunc(got, func(name string, value float64) bool {
		return value == 0 || slices.ContainsFunc(except, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples that are not 0 (-want +got):\n%s", diff)
	}
}

func TestEachSeriesIsThereFromTheStart(t *testing.T) {
	a, err := New(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := samples{
		"oldest_unconverged_seconds": 0,
		"first_config_seconds_count": 0, "first_config_seconds_sum": 0,
		"convergence_seconds_count": 0, "convergence_seconds_sum": 0,
	}
	for _, state := range []string{"held", "syncing", "converged", "draining"} {
		want[fmt.Sprintf("streams{%s}", state)] = 0
	}
	for _, reason := range []string{"gate_shut", "held_too_long", "too_many_held", "draining", "moved", "unauthorised"} {
		want[fmt.Sprintf("streams_refused_total{%s}", reason)] = 0
	}
	for _, resource := range []string{
		"cluster", "load_assignment", "listener", "route_table", "scoped_route",
		"virtual_host", "secret", "extension_config", "runtime_layer", "other",
	} {
		want[fmt.Sprintf("nacks_total{%s}", resource)] = 0
		want[fmt.Sprintf("responses_total{sotw,%s}", resource)] = 0
		want[fmt.Sprintf("responses_total{delta,%s}", resource)] = 0
	}
	if diff := cmp.Diff(want, scrape(t, gatherer(t, a))); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestMetricsLint(t *testing.T) {
	a, err := New(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	families, err := gatherer(t, a).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestRefusalsAreCountedByReason(t *testing.T) {
	opened := func(r *rig) { r.open() }
	drained := func(r *rig) { r.open(); r.drain() }
	for _, tc := range []struct {
		name, reason string
		o            Options
		prepare      func(*rig) // runs before the refused stream
		held         int        // streams that are held before it
	}{
		{name: "refuse", reason: "gate_shut"},
		{name: "held to the end", reason: "held_too_long", o: Options{Mode: Hold}},
		{name: "more than may be held", reason: "too_many_held", o: Options{Mode: Hold, MaxHeld: 1}, held: 1},
		{name: "refuse, draining", reason: "draining", prepare: drained},
		{name: "hold, draining", reason: "draining", o: Options{Mode: Hold}, prepare: drained},
		{name: "the wrong group", reason: "unauthorised", o: Options{Authorize: anyID}, prepare: opened},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := rigOptions{Options: tc.o, handle: func(s adsStream) error { _, err := s.Recv(); return err }}
				r := inMemory(t, o)
				metrics := gatherer(t, r.admission)
				if tc.prepare != nil {
					tc.prepare(r)
				}
				want := samples{"streams_refused_total{" + tc.reason + "}": 1}
				for range tc.held {
					openStream(t.Context(), t, r.dial(t))
					synctest.Wait()
					want["streams{held}"]++
				}
				s := openStream(t.Context(), t, r.dial(t))
				if err := s.Send(sotwFrom(Node{ID: "a", Cluster: "internal"})); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if _, err := s.Recv(); status.Code(err) == codes.OK || errors.Is(err, io.EOF) {
					t.Errorf("the stream ended with %v, want a refusal", err)
				}
				wantSamples(t, metrics, want)
			})
		})
	}
}

func TestStreamsOfADrainingReplica(t *testing.T) {
	o := rigOptions{handle: func(s adsStream) error {
		_, err := s.Recv()
		<-s.Context().Done()
		return err
	}}
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t, o)
		r.open()
		ctx, cancel := context.WithCancel(t.Context())
		s := openStream(ctx, t, r.dial(t))
		if err := s.Send(sotwFrom(Node{ID: "a", Cluster: "edge"})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		metrics := gatherer(t, r.admission)
		wantSamples(t, metrics, samples{"streams{syncing}": 1})
		r.drain()
		wantSamples(t, metrics, samples{"streams{draining}": 1})
		cancel()
		synctest.Wait()
		wantSamples(t, metrics, samples{})
	})
}

func TestARejectionIsLoggedOnce(t *testing.T) {
	var log strings.Builder
	a, err := New(nil, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}))})
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{t: t, proxy: &fakeServerStream{ctx: t.Context()}}
	_ = a.interceptStream(nil, c.proxy, &grpc.StreamServerInfo{FullMethod: sotwADS}, func(_ any, server grpc.ServerStream) error {
		c.server = server
		c.step([]string{">", "cluster"})
		c.step([]string{"<", "cluster", "1"})
		c.step([]string{">", "cluster", "nack", "1"})
		return nil
	})
	want := `level=WARN msg="proxy rejected a response" node=a type=cluster error=malformed` + "\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
