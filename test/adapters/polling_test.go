package adapters

import (
	"sync/atomic"
	"testing"
	"time"

	"istio.io/istio/pkg/kube/krt"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
	"github.com/xdsready/xdsready/test/apiserver"
)

// watched is a krt source that counts how often it is asked and waited for.
type watched struct {
	krt.Syncer
	asked, waits atomic.Int64
	waiting      chan struct{} // closed when the wait begins
}

func (w *watched) HasSynced() bool {
	w.asked.Add(1)
	return w.Syncer.HasSynced()
}

func (w *watched) WaitUntilSynced(stop <-chan struct{}) bool {
	if w.waits.Add(1) == 1 {
		close(w.waiting)
	}
	return w.Syncer.WaitUntilSynced(stop)
}

// TestSyncerIsNotPolled opens a gate on a krt collection, which is waited for
// once and never asked. A DoneChecker has nothing to be asked: it is a channel.
func TestSyncerIsNotPolled(t *testing.T) {
	server := apiserver.New(t)
	server.Hold(resource)
	_, derived := newCollection(t, server)
	source := &watched{Syncer: derived, waiting: make(chan struct{})}
	reg := ready.New("inputs")
	reg.Tier("inputs").Syncer("derived", source)
	start(t, reg)
	select {
	case <-source.waiting:
	case <-time.After(readytest.Limit):
		t.Fatalf("nobody waits for the collection, which was asked %d times", source.asked.Load())
	}
	server.Release(resource)
	wantCheck(t, reg, 0, ready.Synced, "")
	if asked, waits := source.asked.Load(), source.waits.Load(); asked != 0 || waits != 1 {
		t.Errorf("asked %d times and waited for %d times, want never and once", asked, waits)
	}
}
