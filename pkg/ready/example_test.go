package ready_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// A wait check has a function, a channel or a boolean that tells when its source
// has synced. Here it is a channel, as the one of an informer.
func ExampleTier_Chan() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	registry := ready.New("inputs")
	listed := make(chan struct{})
	registry.Tier("inputs").Chan("endpointslices", listed)

	go registry.Run(ctx.Done())
	fmt.Println("open:", registry.Open())
	close(listed) // the informer's first list is in
	<-registry.Opened()
	fmt.Println("open:", registry.Open())

	// Output:
	// open: false
	// open: true
}

// A wait that returns an error is called again, with backoff; the error is the
// reason that /readyz shows.
func ExampleTier_Wait() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	registry := ready.New("inputs")
	tries := 0
	registry.Tier("inputs").Wait("cluster east", func(context.Context) error {
		tries++
		if tries == 1 {
			return errors.New("no route to host")
		}
		return nil
	})
	go registry.Run(ctx.Done())
	<-registry.Opened()
	fmt.Println("synced at try", tries)

	// Output:
	// synced at try 2
}

// A signal check is reported by hand. What is reported before the tiers before
// are complete does not count.
func ExampleTier_Signal() {
	registry := ready.New("inputs", "routes")
	inputs := registry.Tier("inputs").Signal("files")
	routes := registry.Tier("routes").Signal("table")

	routes() // computed from nothing
	fmt.Println(registry.AdmissionErr())
	inputs()
	routes()
	fmt.Println("open:", registry.Open())

	// Output:
	// xdsready: gate is shut: the registry is not started; inputs: files pending; routes: waits for inputs
	// open: true
}

// A live check is evaluated again after opening. While it fails, /readyz is red,
// but streams are still admitted: the gate stays open.
func ExampleTier_Live() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	registry := ready.New("inputs")
	var stuck atomic.Bool
	registry.Tier("inputs").Live("publisher", func(context.Context) error {
		if stuck.Load() {
			return errors.New("the queue is stuck")
		}
		return nil
	}, ready.LiveOptions{Interval: time.Millisecond, FailureThreshold: 2})
	go registry.Run(ctx.Done())
	<-registry.Opened()

	stuck.Store(true)
	for changed := registry.Changed(); registry.Ready(); changed = registry.Changed() {
		<-changed
	}
	fmt.Println(registry.Err())
	fmt.Println("open:", registry.Open())

	// Output:
	// not ready: inputs: publisher failed (the queue is stuck)
	// open: true
}

// An event loop builds once when its inputs are complete, even if no event asks
// for it, and after each event.
func ExampleTier_Snapshot() {
	registry := ready.New() // inputs, snapshot
	listed := registry.Tier("inputs").Signal("services")
	snapshot := registry.Tier("snapshot").Snapshot("xds")

	build := func() {
		stored := snapshot.Begin()
		// Read the inputs, compute, and store what the server serves.
		stored()
	}
	events := make(chan struct{})
	loop := func() {
		inputs := snapshot.Inputs()
		for {
			select {
			case <-inputs:
				inputs = nil // once
				build()
			case _, ok := <-events:
				if !ok {
					return
				}
				build()
			}
		}
	}
	var running sync.WaitGroup
	running.Go(loop)
	events <- struct{}{} // too early: computed before its inputs were complete
	fmt.Println("open:", registry.Open())
	listed()
	<-registry.Opened()
	fmt.Println("open:", registry.Open())
	close(events)
	running.Wait()

	// Output:
	// open: false
	// open: true
}

// Many node groups: the first complete computation names them, and each settles
// when its snapshot has been stored, or failed.
func ExampleSnapshot_Expect() {
	registry := ready.New("snapshot")
	snapshot := registry.Tier("snapshot").Snapshot("gateways")
	store := func(group string) error {
		if group == "mesh" {
			return errors.New("no such listener")
		}
		return nil
	}
	groups := []string{"edge", "mesh"}
	snapshot.Expect(groups...)
	for _, group := range groups {
		if err := store(group); err != nil {
			snapshot.Fail(group, err)
		} else {
			snapshot.Settle(group)
		}
	}
	fmt.Println("open:", registry.Open())
	fmt.Println(registry.Status().Tiers[0].Checks[0].Message)

	// Output:
	// open: true
	// 1 of 2 groups failed: mesh: no such listener
}

// A reconciler waits for its inputs before it computes anything.
func ExampleTier_Await() {
	registry := ready.New()
	inputs := registry.Tier("inputs")
	listed := inputs.Signal("services")
	reconcile := func(ctx context.Context) error {
		if err := inputs.Await(ctx); err != nil {
			return err
		}
		stored := registry.Tier("snapshot").Snapshot("xds").Begin()
		stored()
		return nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(reconcile(ctx))
	listed()
	fmt.Println(reconcile(context.Background()), registry.Open())

	// Output:
	// waiting for tier inputs: context canceled: the registry is not started; inputs: services pending; snapshot: nothing registered
	// <nil> true
}

// The one line that a drain needs in main: /readyz is red when ctx ends, and
// streams are served for the delay.
func ExampleRegistry_WithDrain() {
	registry := ready.New("inputs")
	registry.Tier("inputs").Signal("files")()

	ctx, terminate := context.WithCancel(context.Background()) // as by signal.NotifyContext
	serving := registry.WithDrain(ctx, 10*time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- registry.Start(serving) }()

	terminate()
	for changed := registry.Changed(); registry.Ready(); changed = registry.Changed() {
		<-changed
	}
	fmt.Println("ready:", registry.Ready(), "ended:", serving.Err() != nil)
	<-serving.Done()
	fmt.Println("open:", registry.Open(), "error:", <-ended)

	// Output:
	// ready: false ended: false
	// open: false error: <nil>
}

// A registry is the handler of its probes.
func ExampleRegistry_ServeHTTP() {
	registry := ready.New("inputs", "snapshot")
	files := registry.Tier("inputs").Signal("files")
	snapshot := registry.Tier("snapshot").Snapshot("xds")

	mux := http.NewServeMux()
	for _, path := range []string{"/readyz", "/readyz/", "/livez", "/startupz"} {
		mux.Handle(path, registry)
	}
	probe := func(path string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Printf("%s: %d %s", path, w.Code, w.Body)
	}
	probe("/readyz")
	files()
	snapshot.Begin()()
	probe("/readyz")
	probe("/readyz/inputs/files")
	probe("/livez")

	// Output:
	// /readyz: 503 not ready: the registry is not started; inputs: files pending; snapshot: waits for inputs
	// /readyz: 200 ok
	// /readyz/inputs/files: 200 ok
	// /livez: 200 ok
}
