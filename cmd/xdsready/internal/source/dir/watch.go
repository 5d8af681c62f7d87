package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher reads a directory and gets the file system's events for it. It
// watches directories, not files: a watch on a file follows the file that a
// rename has replaced.
type watcher struct {
	*fsnotify.Watcher
	root     string // as the user gave it
	absolute string
	grouping Grouping
}

// newWatcher returns a watcher that watches nothing yet.
func newWatcher(root string, grouping Grouping) (*watcher, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", root, err)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w; raise fs.inotify.max_user_instances", root, err)
	}
	return &watcher{w, root, absolute, grouping}, nil
}

// scan sets the watches and then reads the directory: in this order no change
// is lost, as one that the read does not see comes as an event.
func (w *watcher) scan() ([]entry, error) {
	if err := w.watch(); err != nil {
		return nil, err
	}
	return scan(w.root, w.grouping)
}

// watch sets the watches for what is there now. Setting one again is needed
// where a path has come to name another directory, and harmless elsewhere.
func (w *watcher) watch() error {
	// The parent tells that the directory, or a symbolic link to it, is replaced
	// or comes back. It may be out of reach; then the next rescan finds that.
	_ = w.Add(filepath.Dir(w.absolute))
	if err := w.Add(w.absolute); err != nil {
		return Error{File: w.root, Text: cannotWatch(err)}
	}
	list, err := os.ReadDir(w.absolute)
	if err != nil {
		return Error{File: w.root, Text: reason(err) + "; make it readable"}
	}
	for _, group := range groupDirs(w.absolute, w.grouping, list) {
		err := w.Add(filepath.Join(w.absolute, group))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Error{File: w.root, Text: "group " + group + ": " + cannotWatch(err)}
		}
	}
	return nil
}

func cannotWatch(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "no inotify watches left; raise fs.inotify.max_user_watches"
	}
	return fmt.Sprintf("cannot watch: %v; make it a readable directory", err)
}

// concerns reports whether an event is more than one of a sibling of the
// directory, as the watch of the parent brings.
func (w *watcher) concerns(e fsnotify.Event) bool {
	return e.Name == w.absolute || filepath.Dir(e.Name) != filepath.Dir(w.absolute)
}

// follow calls read once for each burst of events, o.Debounce after its first
// event, and every o.Rescan, until ctx is done. An error, of which the usual
// one is an overflow of the event queue, means that events were lost, so it
// counts as an event.
func follow(ctx context.Context, w *watcher, o Options, read func()) {
	rescan := time.NewTicker(o.Rescan)
	defer rescan.Stop()
	var due <-chan time.Time // nil: no burst is under way
	for {
		select {
		case <-ctx.Done():
			return
		case <-rescan.C:
			read()
			continue
		case <-due:
			due = nil
			read()
			continue
		case e := <-w.Events:
			if !w.concerns(e) {
				continue
			}
		case err := <-w.Errors:
			o.Logger.WarnContext(ctx, "directory events lost, reading it again", "error", err)
		}
		if due == nil {
			due = time.After(o.Debounce)
		}
	}
}
