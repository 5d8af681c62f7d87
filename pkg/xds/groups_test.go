package xds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/xdsready/xdsready/pkg/cache"
)

// snapshot holds one cluster of about that size, which differs with the version.
func snapshot(t *testing.T, version, size int) *cache.Snapshot {
	t.Helper()
	c, err := cache.NewResource(&clusterv3.Cluster{Name: "a", AltStatName: fmt.Sprint(strings.Repeat("x", size), version)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cache.Build([]cache.Resource{c}, cache.Options{AfterInputs: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGroupRefresh(t *testing.T) {
	g, now := &group{}, time.Now()
	if !g.refreshLocked(snapshot(t, 1, 1), now) {
		t.Error("the first snapshot is no edition")
	}
	first := g.current.Load()
	if g.refreshLocked(snapshot(t, 1, 1), now) || g.current.Load() != first {
		t.Error("the same content is another edition")
	}
	if !g.refreshLocked(snapshot(t, 2, 1), now) {
		t.Error("other content is no edition")
	}
	select {
	case <-first.replaced:
	default:
		t.Error("the first edition is replaced, and does not say so")
	}
	second := g.current.Load()
	select {
	case <-second.replaced:
		t.Error("the current edition says that it is replaced")
	default:
	}
	if past := second.target.Past(); len(past) != 1 || past[0] != first.target.Snapshot() {
		t.Errorf("before the second were %d snapshots, want the first", len(past))
	}
}

// Generations are remembered for an hour after they were replaced.
func TestGenerationsAge(t *testing.T) {
	g, now := &group{}, time.Now()
	for i := range 5 {
		g.refreshLocked(snapshot(t, i, 1), now.Add(time.Duration(i)*20*time.Minute))
	}
	// Replaced at 20, 40, 60 and 80 minutes, and the last at 80.
	if got := len(g.current.Load().target.Past()); got != 4 {
		t.Errorf("%d generations at 80 min, want all 4", got)
	}
	g.refreshLocked(snapshot(t, 5, 1), now.Add(100*time.Minute))
	if got := len(g.current.Load().target.Past()); got != 4 {
		t.Errorf("%d generations at 100 min, want 4: the first was replaced 80 min ago", got)
	}
}

// And as long as what they alone have is within bounds.
func TestGenerationsAreBounded(t *testing.T) {
	const size = 15 << 20
	g := &group{}
	for i := range 7 {
		g.refreshLocked(snapshot(t, i, size), time.Now())
	}
	want := generationBytes / size
	if got := len(g.current.Load().target.Past()); got != want {
		t.Errorf("%d generations of 15 MB, want %d", got, want)
	}
	if got := g.generationBytes(); got > generationBytes || got < want*size {
		t.Errorf("generation_bytes is %d, want %d generations of 15 MB", got, want)
	}
	if newest := g.past[0].snapshot.ContentVersion(); newest != snapshot(t, 5, size).ContentVersion() {
		t.Error("the newest generation is not the one before the current")
	}
}

// Small generations are bounded in number: each is looked through.
func TestGenerationsAreNotTooMany(t *testing.T) {
	var g group
	for i := range generationCount + 5 {
		g.refreshLocked(snapshot(t, i, 1), time.Now())
	}
	if got := len(g.past); got != generationCount {
		t.Errorf("%d generations are remembered, want %d", got, generationCount)
	}
}
