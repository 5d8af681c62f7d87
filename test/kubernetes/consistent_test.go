package kubernetes

import (
	"fmt"
	"net/url"
	"testing"
)

// inputs are the resources that the program reads, in the order of its checks.
var inputs = []string{
	"gatewayclasses", "gateways", "httproutes", "referencegrants", "services", "endpointslices", "secrets", "namespaces",
}

// Every first read shows the latest state: a watch with initial events or, of an
// API server that has none, a list, and in no case one of resourceVersion "0",
// which is whatever an API server remembers.
func TestFirstReadsAreConsistent(t *testing.T) {
	t.Parallel()
	t.Run("watches", func(t *testing.T) {
		t.Parallel()
		wantConsistentReads(t, newSceneWithClass(t, shared), func(q url.Values) error {
			if q.Get("sendInitialEvents") != "true" || q.Get("resourceVersionMatch") != "NotOlderThan" || q.Get("resourceVersion") != "" {
				return fmt.Errorf("it is no watch with initial events of the latest state")
			}
			return nil
		})
	})
	t.Run("lists", func(t *testing.T) {
		t.Parallel()
		old := startAPIServer(t, apiOptions{flags: map[string]string{"feature-gates": "WatchList=false"}})
		wantConsistentReads(t, newSceneWithClass(t, old), func(q url.Values) error {
			if q.Has("watch") || q.Get("resourceVersion") != "" {
				return fmt.Errorf("it is no list of the latest state")
			}
			return nil
		})
	})
}

// wantConsistentReads starts the program and looks at the read of each resource
// that was complete first.
func wantConsistentReads(t *testing.T, s *scene, consistent func(url.Values) error) {
	t.Helper()
	s.create(t, append(s.backend("app"), s.gateway("gw"), s.route("r", "gw", "app"))...)
	r := startRelay(t, s.environment.Config)
	p := serve(t, r.kubeconfig(t), s.flags()...)
	p.wantReady(t)
	reads := map[string][]url.Values{}
	for _, request := range r.seen() {
		of := resource(request)
		reads[of] = append(reads[of], request.Query())
		if request.Query().Get("resourceVersion") == "0" {
			t.Errorf("a read at resourceVersion 0: %s", request)
		}
	}
	for _, input := range inputs {
		if len(reads[input]) == 0 {
			t.Errorf("%s were not read", input)
			continue
		}
		first := reads[input][0]
		if err := consistent(first); err == nil {
			continue
		}
		// The API server has refused the watch with initial events.
		if len(reads[input]) < 2 || first.Get("sendInitialEvents") != "true" || consistent(reads[input][1]) != nil {
			t.Errorf("%s: %v: %v", input, consistent(first), reads[input])
		}
	}
}
