package controlplane

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestFaults(t *testing.T) {
	var log strings.Builder
	f := newFaults(slog.New(slog.NewTextHandler(&log, nil)))
	f.set("group a", nil) // nothing was wrong
	f.set(sourceDirectory, errors.New("a.yaml:1: bad"))
	f.set(sourceDirectory, errors.New("a.yaml:1: bad")) // the same again
	since := f.all()[0].since
	f.set(sourceDirectory, errors.New("a.yaml:2: worse"))
	f.set("group a", errors.New("two of one name"))

	var got []string
	for _, x := range f.all() {
		got = append(got, x.source+": "+x.message)
	}
	if diff := cmp.Diff([]string{"directory: a.yaml:2: worse", "group a: two of one name"}, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if !f.all()[0].since.Equal(since) {
		t.Error("another fault of the same source began a new time")
	}
	const want = `
# HELP xdsready_config_errors Sources whose last change was not taken, because it is faulty.
# TYPE xdsready_config_errors gauge
xdsready_config_errors 2
`
	if err := testutil.CollectAndCompare(f, strings.NewReader(want), "xdsready_config_errors"); err != nil {
		t.Error(err)
	}
	f.set(sourceDirectory, nil)
	f.set("group a", nil)
	if len(f.all()) > 0 {
		t.Errorf("faults after the mending: %v", f.all())
	}
	if lines := strings.Count(log.String(), "\n"); lines != 5 {
		t.Errorf("%d log lines, want one for each of 3 faults and 2 mendings:\n%s", lines, log.String())
	}
	if problems, err := testutil.CollectAndLint(f); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// A resource that cannot be read is stale since its first failure, whatever
// fails after that, and is no faulty config.
func TestStaleResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f := newFaults(slog.New(slog.NewTextHandler(&log, nil)))
		f.sources = []string{"gateways", "services"}
		if name, since := f.stalest(); name != "" || !since.IsZero() {
			t.Errorf("stale at the start: %s since %v", name, since)
		}
		f.setStale("services", nil)
		began := time.Now()
		f.setStale("services", errors.New("refused"))
		time.Sleep(2 * time.Second)
		f.setStale("gateways", errors.New("forbidden"))
		if since := f.setStale("services", errors.New("timed out")); !since.Equal(began) {
			t.Errorf("stale since %v, want %v", since, began)
		}
		f.setStale("services", errors.New("timed out"))
		if name, since := f.stalest(); name != "services" || !since.Equal(began) {
			t.Errorf("the stalest is %s since %v, want services since %v", name, since, began)
		}
		const want = `
# HELP xdsready_config_errors Sources whose last change was not taken, because it is faulty.
# TYPE xdsready_config_errors gauge
xdsready_config_errors 0
# HELP xdsready_source_stale_seconds For how long changes of the source have not been taken, or it could not be read; 0 while all is well.
# TYPE xdsready_source_stale_seconds gauge
xdsready_source_stale_seconds{source="gateways"} 0
xdsready_source_stale_seconds{source="services"} 2
`
		if err := testutil.CollectAndCompare(f, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		if all := f.all(); len(all) != 2 || all[0].source != "gateways" {
			t.Errorf("faults %v, want gateways and services", all)
		}
		f.setStale("services", nil)
		f.setStale("services", nil)
		if name, _ := f.stalest(); name != "gateways" {
			t.Errorf("the stalest is %q, want gateways", name)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 4 {
			t.Errorf("%d log lines, want one for each of 3 faults and 1 repair:\n%s", lines, log.String())
		}
	})
}
