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

// maxBurst is how many times Options.Debounce a directory that does not come to
// rest is waited for.
const maxBurst = 10

// watcher reads a directory and gets the file system's events for it. It
// watches directories, not files: a watch on a file follows the file that a
// rename has replaced. Not safe for concurrent use.
type watcher struct {
	root     string // as the user gave it
	absolute string
	options  Options
	open     func() (*fsnotify.Watcher, error)

	inotify   *fsnotify.Watcher // nil: it could not be opened yet
	unwatched string            // why the directory is not watched, as logged last; "": it is
}

// newWatcher returns a watcher that watches nothing yet. The options have their
// defaults.
func newWatcher(root string, o Options) (*watcher, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", root, err)
	}
	return &watcher{root: root, absolute: absolute, options: o, open: fsnotify.NewWatcher}, nil
}

// close ends the watches and the goroutine behind them.
func (w *watcher) close() {
	if w.inotify != nil {
		_ = w.inotify.Close() // the watches end with the process at the latest
	}
}

// read sets the watches and then reads the directory: in this order no change
// is lost, as one that the read does not see comes as an event. What cannot be
// read is an entry that says so.
func (w *watcher) read() []entry {
	w.report(w.watch())
	entries, err := scan(w.root, w.options.Grouping)
	if err != nil {
		return []entry{{path: w.root, err: reason(err)}}
	}
	return entries
}

// watch sets the watches for what is there now. Setting one again is needed
// where a path has come to name another directory, and harmless elsewhere. What
// is not there is no error: scan will tell.
func (w *watcher) watch() error {
	if w.inotify == nil {
		opened, err := w.open()
		if err != nil {
			return fmt.Errorf("%w; raise fs.inotify.max_user_instances", err)
		}
		w.inotify = opened
	}
	// The parent tells that the directory, or a symbolic link to it, is replaced
	// or comes back. It may be out of reach; then the next rescan finds that.
	_ = w.inotify.Add(filepath.Dir(w.absolute))
	errs := []error{watchError(w.absolute, w.inotify.Add(w.absolute))}
	if list, err := os.ReadDir(w.absolute); err == nil {
		for _, group := range groupDirs(w.absolute, w.options.Grouping, list) {
			path := filepath.Join(w.absolute, group)
			errs = append(errs, watchError(path, w.inotify.Add(path)))
		}
	}
	return errors.Join(errs...)
}

// watchError says what to do about an error of a watch.
func watchError(path string, err error) error {
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: no inotify watches are left; raise fs.inotify.max_user_watches", path)
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
}

// report logs that the directory is not watched, once for each reason, and that
// it is again. Rescans do the work meanwhile.
func (w *watcher) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == w.unwatched:
	case err != nil:
		w.options.Logger.Warn("directory cannot be watched: changes are seen late", "path", w.root, "after", w.options.Rescan, "error", text)
	default:
		w.options.Logger.Info("directory is watched again", "path", w.root)
	}
	w.unwatched = text
}

// events returns the channels of the file system's events and errors. They are
// nil, which is an endless wait, until inotify could be opened.
func (w *watcher) events() (<-chan fsnotify.Event, <-chan error) {
	if w.inotify == nil {
		return nil, nil
	}
	return w.inotify.Events, w.inotify.Errors
}

// concerns reports whether an event may change what is read: it is not one of a
// sibling of the directory, as the watch of the parent brings, nor a write to a
// file that is not read, such as an editor's.
func (w *watcher) concerns(e fsnotify.Event) bool {
	if e.Name != w.absolute && filepath.Dir(e.Name) == filepath.Dir(w.absolute) {
		return false
	}
	return e.Op != fsnotify.Write || isConfig(filepath.Base(e.Name))
}

// follow calls read once for each burst of events and every Options.Rescan,
// until ctx is done. An error, of which the usual one is an overflow of the
// event queue, means that events were lost, so it counts as an event.
//
// A burst ends when nothing has happened for Options.Debounce, so that a file
// that is written in place is not read half written, and at the latest after
// maxBurst times that.
func (w *watcher) follow(ctx context.Context, read func()) {
	rescan := time.NewTicker(w.options.Rescan)
	defer rescan.Stop()
	var rest <-chan time.Time // nil: no burst is under way
	var end time.Time         // of the burst, at the latest
	for {
		events, errs := w.events()
		select {
		case <-ctx.Done():
			return
		case <-rescan.C:
			read()
			continue
		case <-rest:
			rest = nil
			read()
			continue
		case e := <-events:
			if !w.concerns(e) {
				continue
			}
		case err := <-errs:
			w.options.Logger.Warn("directory events are lost: reading it again", "path", w.root, "error", err)
		}
		if rest == nil {
			end = time.Now().Add(maxBurst * w.options.Debounce)
		}
		rest = time.After(min(w.options.Debounce, time.Until(end)))
	}
}
