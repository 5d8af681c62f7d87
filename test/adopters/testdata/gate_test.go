package contour

import (
	"context"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/xdsready/xdsready/pkg/ready"

	"github.com/projectcontour/contour/internal/dag"
	"github.com/projectcontour/contour/internal/k8s"
)

// TestGateOpensWhenTheFirstDAGIsStored is added to Contour's own tests: in an
// empty cluster a DAG is built once, and the gate opens when it has been
// stored, not when it is being built.
func TestGateOpensWhenTheFirstDAGIsStored(t *testing.T) {
	const limit = 20 * time.Second
	reg := ready.New("informers", "snapshot")
	synced := reg.Tier("informers").Signal("all")
	snapshot := reg.Tier("snapshot").Snapshot("dag")
	building, store := make(chan struct{}), make(chan struct{})
	log := logrus.New()
	handler := NewEventHandler(EventHandlerConfig{
		Logger:        log,
		Builder:       &dag.Builder{Source: dag.KubernetesCache{FieldLogger: log}},
		Observer:      dag.ObserverFunc(func(*dag.DAG) { close(building); <-store }),
		StatusUpdater: &k8s.StatusUpdateCacher{},
		Snapshot:      snapshot,
	}, func() bool { return true })

	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() { _ = reg.Start(ctx) }()
	go func() { _ = handler.Start(ctx) }()
	go func() { <-snapshot.Inputs(); handler.OnElectedLeader() }() // as serve.go does
	synced()
	select {
	case <-building:
	case <-ctx.Done():
		t.Fatalf("no DAG within %v: %v", limit, reg.Err())
	}
	if reg.Open() {
		t.Error("the gate is open before the first DAG is stored")
	}
	close(store)
	select {
	case <-reg.Opened():
	case <-ctx.Done():
		t.Fatalf("the gate is shut %v after the first DAG: %v", limit, reg.Err())
	}
}
