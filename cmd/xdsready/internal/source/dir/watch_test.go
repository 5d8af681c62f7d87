package dir

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	gocmp "github.com/google/go-cmp/cmp"
)

// A change is read when nothing has happened for 50 ms, or at the latest after
// 500 ms, and every 30 s without any event.
func TestFollowWaitsForRest(t *testing.T) {
	const ms = time.Millisecond
	every := func(interval, until time.Duration) (times []time.Duration) {
		for at := time.Duration(0); at <= until; at += interval {
			times = append(times, at)
		}
		return times
	}
	for _, tt := range []struct {
		name   string
		event  fsnotify.Event // the one that comes at these times
		times  []time.Duration
		length time.Duration // of the test
		want   []time.Duration
	}{
		{"no event", fsnotify.Event{}, nil, time.Minute, []time.Duration{30 * time.Second, time.Minute}},
		{"one event", fsnotify.Event{Name: "/c/dir/a.yaml", Op: fsnotify.Write}, every(1, 0), time.Second, []time.Duration{50 * ms}},
		{"events within 50 ms", fsnotify.Event{Name: "/c/dir/a.yaml", Op: fsnotify.Create}, every(10*ms, 40*ms), time.Second, []time.Duration{90 * ms}},
		{"events further apart", fsnotify.Event{Name: "/c/dir/a.yaml", Op: fsnotify.Write}, every(60*ms, 60*ms), time.Second, []time.Duration{50 * ms, 110 * ms}},
		{"events without end", fsnotify.Event{Name: "/c/dir/a.yaml", Op: fsnotify.Write}, every(9*ms, 720*ms), time.Second, []time.Duration{500 * ms, 770 * ms}},
		{"the directory itself", fsnotify.Event{Name: "/c/dir", Op: fsnotify.Create}, every(1, 0), time.Second, []time.Duration{50 * ms}},
		{"the link of a ConfigMap", fsnotify.Event{Name: "/c/dir/..data", Op: fsnotify.Create}, every(1, 0), time.Second, []time.Duration{50 * ms}},
		{"a group's file", fsnotify.Event{Name: "/c/dir/edge/a.yaml", Op: fsnotify.Remove}, every(1, 0), time.Second, []time.Duration{50 * ms}},
		{"a sibling of the directory", fsnotify.Event{Name: "/c/dir2", Op: fsnotify.Create}, every(1, 0), time.Second, nil},
		{"an editor that writes its own file", fsnotify.Event{Name: "/c/dir/.a.yaml.swp", Op: fsnotify.Write}, every(1, 0), time.Second, nil},
		{"a permission", fsnotify.Event{Name: "/c/dir/a.yaml", Op: fsnotify.Chmod}, every(1, 0), time.Second, []time.Duration{50 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events := make(chan fsnotify.Event)
				w := testWatcher(t, "/c/dir", &bytes.Buffer{})
				w.inotify = &fsnotify.Watcher{Events: events}
				ctx, cancel := context.WithTimeout(t.Context(), tt.length+ms)
				defer cancel()
				go func() {
					start := time.Now()
					for _, at := range tt.times {
						time.Sleep(time.Until(start.Add(at)))
						events <- tt.event
					}
				}()
				start, got := time.Now(), []time.Duration(nil)
				w.follow(ctx, func() { got = append(got, time.Since(start)) })
				if diff := gocmp.Diff(tt.want, got); diff != "" {
					t.Errorf("times of the reads (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Events that were lost may have been anything: the directory is read.
func TestFollowReadsAfterAnOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		errs := make(chan error, 1)
		errs <- fsnotify.ErrEventOverflow
		w := testWatcher(t, "/c/dir", &log)
		w.inotify = &fsnotify.Watcher{Errors: errs}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reads := 0
		w.follow(ctx, func() { reads++ })
		if reads != 1 {
			t.Errorf("%d reads, want 1", reads)
		}
		if !strings.Contains(log.String(), `level=WARN msg="directory events are lost: reading it again" path=/c/dir error="fsnotify: queue or buffer overflow"`) {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

// Without inotify the directory is read all the same; the log says once why
// changes come late, and when that ends.
func TestReadGoesOnWithoutInotify(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	var log bytes.Buffer
	w := testWatcher(t, root, &log)
	defer w.close()
	w.open = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
	for range 2 {
		if entries := w.read(); len(entries) != 1 || entries[0].err != "" {
			t.Fatalf("read without inotify: %+v", entries)
		}
	}
	if events, errs := w.events(); events != nil || errs != nil {
		t.Error("events without inotify")
	}
	w.open = fsnotify.NewWatcher
	for range 2 {
		w.read()
	}
	want := fmt.Sprintf(`level=WARN msg="directory cannot be watched: changes are seen late" path=%[1]s after=30s `+
		`error="too many open files; raise fs.inotify.max_user_instances"
level=INFO msg="directory is watched again" path=%[1]s
`, root)
	if diff := gocmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestWatchReachesGroups(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"edge/a.yaml": clusters("web"), ".hidden/a.yaml": ""})
	for grouping, want := range map[Grouping][]string{
		All:       {filepath.Dir(root), root},
		ByCluster: {filepath.Dir(root), root, filepath.Join(root, "edge")},
	} {
		w := testWatcher(t, root, &bytes.Buffer{})
		w.options.Grouping = grouping
		w.read()
		got := slices.Sorted(slices.Values(w.inotify.WatchList()))
		w.close()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("grouping %s: watched (-want +got):\n%s", grouping, diff)
		}
	}
}

func TestWatchErrorNamesTheLimit(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, "<nil>"},
		{syscall.ENOENT, "<nil>"}, // the read will tell
		{syscall.ENOSPC, "/c: no inotify watches are left; raise fs.inotify.max_user_watches"},
		{syscall.EACCES, "/c: permission denied"},
	} {
		if got := fmt.Sprint(watchError("/c", tt.err)); got != tt.want {
			t.Errorf("watchError(%v) = %s, want %s", tt.err, got, tt.want)
		}
	}
}

// testWatcher logs without times.
func testWatcher(t *testing.T, root string, log *bytes.Buffer) *watcher {
	t.Helper()
	handler := slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	w, err := newWatcher(root, Options{
		Grouping: All, Debounce: 50 * time.Millisecond, Rescan: 30 * time.Second, Logger: slog.New(handler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
