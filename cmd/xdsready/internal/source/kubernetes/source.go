package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"istio.io/istio/pkg/kube/krt"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// DefaultController is the name by which GatewayClasses choose us.
const DefaultController = "xdsready.io/gateway-controller"

// Options of [New]. Config, Ready, Failed and Waiting are required.
type Options struct {
	Config *rest.Config // of the API server
	// Controller is the controllerName of our GatewayClasses; "" means
	// [DefaultController].
	Controller string
	// OptionalCRDs are resources, of [CRDs], that count as known empty while
	// their CRD is not installed.
	OptionalCRDs []string
	// ElectionNamespace has the Lease by which one replica is chosen to write
	// status; "" means that this one does.
	ElectionNamespace string

	// Ready blocks until this replica is ready; only then does it stand for the
	// election and write status. It returns an error if ctx ends before.
	Ready func(ctx context.Context) error
	// Failed is told when a resource cannot be listed or watched, in the API
	// server's words, and with nil when its watch works again.
	Failed func(resource string, err error)
	// Waiting is told what takes long, with "" when it is over.
	Waiting func(resource, text string)

	Debug  *krt.DebugHandler // knows all collections; nil: none
	Logger *slog.Logger      // nil: slog.Default()

	// Ungated makes updates of whatever is there, synced or not, as control
	// planes without a gate do. Delays are how late the answer to the first list
	// of a resource is. Both are for tests that show what the gate is for.
	Ungated bool
	Delays  map[string]time.Duration
}

// Source follows a cluster. All methods are safe for concurrent use, except
// that Take is called by one goroutine.
type Source struct {
	options     Options
	logger      *slog.Logger
	config      *rest.Config
	live        client.Client
	inputs      *inputs
	collections collections
	handlers    []krt.Syncer
	changes     *changes
	confirmer   *confirmer
	statuses    *statuses

	stop chan struct{} // closed when Run ends

	// Used by Take alone.
	model *model
	begun bool // the first update has been made
}

// New returns a source for the cluster that the config leads to. Nothing is
// asked of it before [Source.Run]. The error is that of a config that makes no
// client.
func New(o Options) (*Source, error) {
	o.Controller = cmp.Or(o.Controller, DefaultController)
	logger := cmp.Or(o.Logger, slog.Default())
	config := rest.CopyConfig(o.Config)
	config.QPS = -1 // what is asked is bounded; the API server has its own limits
	config.UserAgent = "xdsready"
	noticeSilence()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	live, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	s := &Source{stop: make(chan struct{}), options: o, config: config, logger: logger, live: live, changes: newChanges(), statuses: newStatuses()}
	options := krt.NewOptionsBuilder(s.stop, "", o.Debug)
	m := maker{
		config: config, httpClient: httpClient, live: live, optional: o.OptionalCRDs, delays: o.Delays,
		report: report{o.Failed, o.Waiting}, logger: logger, krt: options,
	}
	if s.inputs, err = m.inputs(); err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	s.collections = newCollections(s.inputs, gatewayv1.GatewayController(o.Controller), options)
	s.handlers = s.changes.follow(s.inputs, s.collections)
	s.confirmer = &confirmer{
		live: live, logger: logger, slots: make(chan struct{}, maxConfirming),
		answer: func(a answer) { s.changes.note(func(c *changed) { c.answers = append(c.answers, a) }) },
	}
	s.model = newModel(world{s.inputs, &s.collections}, s.confirmer)
	s.model.trusting = o.Ungated
	return s, nil
}

// Client returns the client, which reads from the API server itself.
func (s *Source) Client() client.Client { return s.live }

// Run follows the cluster until ctx ends and then returns nil. It is called
// once. The goroutines of krt end with it, but krt does not let anybody wait
// for them.
func (s *Source) Run(ctx context.Context) error {
	defer close(s.stop)
	var running sync.WaitGroup
	for _, input := range s.inputs.all() {
		running.Go(func() { input.run(ctx) })
	}
	running.Go(func() { s.writeStatuses(ctx) })
	running.Wait()
	return nil
}

// Check is a sync signal of the source, as pkg/ready's Tier.Syncer takes it.
type Check struct {
	Name   string
	Syncer krt.Syncer
}

// Inputs returns a check for each resource: it has been listed and delivered.
func (s *Source) Inputs() []Check {
	var checks []Check
	for _, input := range s.inputs.all() {
		checks = append(checks, Check{input.name(), input.listed()})
	}
	return checks
}

// Derived returns a check for each derived collection, and one for the handlers
// that feed [Source.Take]. None is named as an input is: a watch error is shown
// on all checks that are named after its resource.
func (s *Source) Derived() []Check {
	return []Check{
		{"accepted-gateways", s.collections.gateways},
		{"compiled-routes", s.collections.routes},
		{"builder", syncers(s.handlers)},
	}
}

// syncers are synced when all are.
type syncers []krt.Syncer

// HasSynced implements krt.Syncer.
func (s syncers) HasSynced() bool {
	return !slices.ContainsFunc(s, func(s krt.Syncer) bool { return !s.HasSynced() })
}

// WaitUntilSynced implements krt.Syncer.
func (s syncers) WaitUntilSynced(stop <-chan struct{}) bool {
	return !slices.ContainsFunc(s, func(s krt.Syncer) bool { return !s.WaitUntilSynced(stop) })
}
