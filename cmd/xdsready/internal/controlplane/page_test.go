package controlplane

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/cache"
)

// The page has the group with its counts and what is absent from it, and the
// faults.
func TestPage(t *testing.T) {
	p, _ := newPlane(t, map[string]string{"a.yaml": cluster}, func(o *Options) { o.Version = "v1" })
	began := time.Now()
	start(t, p)
	await(t, p, "the gate's opening", p.registry.Ready)
	p.faults.set(sourceCertificates, errors.New("expired"))

	got := p.page()
	if len(got.Groups) != 1 || got.Groups[0].Since.Before(began) || got.Groups[0].Since.After(got.Time) {
		t.Errorf("groups %v, want one stored since %v", got.Groups, began)
	}
	snapshot, _ := p.store.Get("all")
	want := statuspage.Page{
		Build: "v1", Source: p.options.Source, Status: p.registry.Status(),
		Faults: []statuspage.Fault{{Source: sourceCertificates, Message: "expired"}},
		Groups: []statuspage.Group{{
			Name: "all", Version: snapshot.ContentVersion().String(), Resources: map[string]int{"cluster": 1, "load assignment": 1},
			Dangling:     []string{`cluster "backend" refers to load assignment "backend"`},
			Placeholders: []string{`load assignment "backend"`},
		}},
	}
	ignore := cmpopts.IgnoreTypes(time.Time{})
	uptime := cmp.FilterPath(func(path cmp.Path) bool { return path.Last().String() == ".Uptime" }, cmp.Ignore())
	if diff := cmp.Diff(want, got, ignore, uptime); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

// A snapshot of equal content does not make a group look changed.
func TestContents(t *testing.T) {
	first, later := time.Unix(1, 0), time.Unix(2, 0)
	var c contents
	c.stored("g", cache.Version{1}, first)
	c.stored("g", cache.Version{1}, later)
	if got := c.since("g"); !got.Equal(first) {
		t.Errorf("since %v after equal content, want %v", got, first)
	}
	c.stored("g", cache.Version{2}, later)
	if got := c.since("g"); !got.Equal(later) {
		t.Errorf("since %v after other content, want %v", got, later)
	}
	c.dropped("g")
	if got := c.since("g"); !got.IsZero() {
		t.Errorf("since %v of a dropped group", got)
	}
}
