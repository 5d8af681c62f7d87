package controlplane

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

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
