package ready_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// reflector is the part of client-go's Reflector that WatchErrors asks for.
type reflector string

func (r reflector) TypeDescription() string { return string(r) }

var errForbidden = errors.New(`endpointslices is forbidden: User "xds" cannot list resource "endpointslices"`)

func TestWatchErrorsFindsTheCheckByName(t *testing.T) {
	for _, row := range []struct {
		check, description string
		means              bool
	}{
		{"*v1.EndpointSlice", "*v1.EndpointSlice", true},
		{"EndpointSlice", "*v1.EndpointSlice", true},
		{"endpointslices", "*v1.EndpointSlice", true},
		{"endpointslice", "*v1.EndpointSlice", true},
		{"discovery.k8s.io/endpointslices", "*v1.EndpointSlice", true},
		{"endpointslices.discovery.k8s.io", "*v1.EndpointSlice", true},
		{"endpointslices.discovery.k8s.io", "*v1.Pod", false},
		{"endpoints", "*v1.Endpoints", true},
		{"ingresses", "*v1.Ingress", true},
		{"networkpolicies", "*v1.NetworkPolicy", true},
		{"gateways", "*v1.Gateway", true},
		{"httproutes", "gateway.networking.k8s.io/v1, Kind=HTTPRoute", true},
		{"gateway.networking.k8s.io/httproutes", "gateway.networking.k8s.io/v1, Kind=HTTPRoute", true},
		{"HTTPRoute", "gateway.networking.k8s.io/v1, Kind=HTTPRoute", true},
		{"slices", "*v1.EndpointSlice", false},
		{"endpoints", "*v1.EndpointSlice", false},
		{"endpointslices", "*v1.Endpoints", false},
		{"routes", "*v1.HTTPRoute", false},
		{"secrets", "", false},
	} {
		t.Run(row.check+" for "+row.description, func(t *testing.T) {
			r := ready.NewWithOptions(quiet(), "inputs")
			r.Tier("inputs").Chan(row.check, readytest.NewSource("s").Done())
			ready.WatchErrors[reflector](r, nil)(t.Context(), reflector(row.description), errForbidden)
			if row.means {
				wantState(t, r, "inputs", row.check, ready.Failed, row.description+": "+errForbidden.Error())
				wantText(t, "Err()", r.Err().Error(), errForbidden.Error())
				return
			}
			wantState(t, r, "inputs", row.check, ready.Pending, "")
		})
	}
}

func TestWatchErrorsCallsNext(t *testing.T) {
	type call struct {
		Reflector reflector
		Err       string
		Context   bool
	}
	type key struct{}
	for _, r := range []*ready.Registry{nil, ready.NewWithOptions(quiet())} {
		var got []call
		handler := ready.WatchErrors(r, func(ctx context.Context, r reflector, err error) {
			got = append(got, call{r, err.Error(), ctx.Value(key{}) != nil})
		})
		handler(context.WithValue(t.Context(), key{}, 1), "*v1.Pod", errForbidden)
		if diff := cmp.Diff([]call{{"*v1.Pod", errForbidden.Error(), true}}, got); diff != "" {
			t.Errorf("next was called otherwise (-want +got):\n%s", diff)
		}
	}
}

func TestWatchErrorsWithoutAnError(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Signal("pods")
	ready.WatchErrors[reflector](r, nil)(t.Context(), "*v1.Pod", nil)
	wantState(t, r, "inputs", "pods", ready.Pending, "")
}

// The check of the type gets the error; a cache gets those of all other types.
func TestWatchErrorsOfTypesWithoutACheckGoToTheCaches(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Cache("cache", readytest.NewSource("s")).Chan("pods", readytest.NewSource("p").Done())
	handler := ready.WatchErrors[reflector](r, nil)
	handler(t.Context(), "*v1.Pod", errForbidden)
	wantState(t, r, "inputs", "pods", ready.Failed, "*v1.Pod: endpointslices is forbidden")
	wantState(t, r, "inputs", "cache", ready.Pending, "")
	handler(t.Context(), "*v1.Service", errForbidden)
	wantState(t, r, "inputs", "cache", ready.Failed, "*v1.Service: endpointslices is forbidden")
	wantState(t, r, "inputs", "pods", ready.Failed, "*v1.Pod")
}

// Informers go on with what they have: an error after a check has synced is
// counted only.
func TestWatchErrorsAfterTheSync(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("inputs").Signal("pods")()
	ready.WatchErrors[reflector](r, nil)(t.Context(), "*v1.Pod", errForbidden)
	wantState(t, r, "inputs", "pods", ready.Synced, "")
	wantOpen(t, r)
	wantText(t, "the exposition", exposition(t, gatherer(t, r)), `xdsready_watch_errors_total{resource="*v1.Pod"} 1`)
}
