package controlplane

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"istio.io/istio/pkg/kube/krt"
	"k8s.io/client-go/rest"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/kubernetes"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// gatewayKey is the key in a node's metadata that names the proxy's Gateway, as
// NAMESPACE/NAME. Without it the node's cluster does.
const gatewayKey = "gateway"

// clusterSource is a Kubernetes cluster as a source.
type clusterSource struct {
	*kubernetes.Source
	options  Options
	faults   *faults
	registry *ready.Registry // nil: no gate
	errors   func(ctx context.Context, of resource, err error)
	config   *rest.Config
	debug    *krt.DebugHandler // nil without --debug
}

// resource is a resource of the API server, as ready.WatchErrors wants it.
type resource string

// TypeDescription names the check.
func (r resource) TypeDescription() string { return string(r) }

func newCluster(o Options, faults *faults) (*clusterSource, error) {
	config, err := kubernetes.Config(o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	optional, err := kubernetes.ParseCRDs(o.OptionalCRDs)
	if err != nil {
		return nil, fmt.Errorf("--optional-crds: %w", err)
	}
	c := &clusterSource{options: o, faults: faults, config: config}
	if o.Debug {
		c.debug = new(krt.DebugHandler)
	}
	c.Source, err = kubernetes.New(kubernetes.Options{
		Config: config, Controller: o.ControllerName, OptionalCRDs: optional,
		ElectionNamespace: cmp.Or(o.ElectionNamespace, kubernetes.PodNamespace()),
		Ready:             func(ctx context.Context) error { return c.registry.Tier("snapshot").Await(ctx) },
		Failed:            c.failed, Waiting: c.waiting, Debug: c.debug, Logger: o.Logger,
		Ungated: o.Ungated, Delays: o.InputDelays,
	})
	return c, err
}

func (c *clusterSource) register(registry *ready.Registry) {
	c.registry, c.errors = registry, ready.WatchErrors[resource](registry, nil)
	for _, check := range c.Inputs() {
		registry.Tier("informers").Syncer(check.Name, check.Syncer)
	}
	for _, check := range c.Derived() {
		registry.Tier("krt").Syncer(check.Name, check.Syncer)
	}
	if limit := c.options.UnreadyWhenStale; limit > 0 {
		registry.Tier("informers").Live("freshness", func(context.Context) error { return c.fresh(limit) },
			ready.LiveOptions{Interval: time.Second, FailureThreshold: 1})
	}
}

func (c *clusterSource) names() []string {
	var names []string
	for _, check := range c.Inputs() {
		names = append(names, check.Name)
	}
	return names
}

// failed shows a resource that cannot be read: as the state of its check before
// that has synced, as a remark on it afterwards. The remark is made each time,
// since what the next request waits for takes its place.
func (c *clusterSource) failed(name string, err error) {
	since := c.faults.setStale(name, err)
	if err != nil {
		c.errors(context.Background(), resource(name), err)
	}
	switch {
	case err == nil:
		c.waiting(name, "")
	case c.listed(name):
		c.waiting(name, fmt.Sprintf("stale since %s: %v", since.UTC().Format(time.RFC3339), err))
	}
}

// listed reports whether a resource has ever been listed.
func (c *clusterSource) listed(name string) bool {
	return slices.ContainsFunc(c.Inputs(), func(check kubernetes.Check) bool {
		return check.Name == name && check.Syncer.HasSynced()
	})
}

// waiting makes a remark on the check of a resource.
func (c *clusterSource) waiting(name, text string) { c.registry.Tier("informers").Note(name, text) }

// fresh fails when some resource has been stale for longer than limit.
func (c *clusterSource) fresh(limit time.Duration) error {
	name, since := c.faults.stalest()
	if stale := time.Since(since); name != "" && stale > limit {
		return fmt.Errorf("%s: stale for %v, which is longer than --unready-when-stale", name, stale.Round(time.Second))
	}
	return nil
}

func (c *clusterSource) group(n admission.Node) string {
	return cmp.Or(n.Metadata(gatewayKey), n.Cluster)
}

func (c *clusterSource) groupOf(n *corev3.Node) string {
	return cmp.Or(n.GetMetadata().GetFields()[gatewayKey].GetStringValue(), n.GetCluster())
}

// ServeHTTP serves krt's own dump of its collections. Secrets are left out.
func (c *clusterSource) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	dump, err := kubernetes.Dump(c.debug)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(dump) // who asked has gone
}
