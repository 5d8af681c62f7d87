package certificates

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is the time from the first event of a burst until the files are read.
// A certificate and its key are replaced one after the other, and a read
// between the two would find a pair that does not match.
const settle = 200 * time.Millisecond

// Options are the files and who is told about them.
type Options struct {
	CertFile string // required: PEM certificate, followed by its intermediates
	KeyFile  string // required: PEM key of it, not encrypted
	// ClientCAFile is a PEM file of the CAs that sign clients' certificates.
	// With it a client must show one; empty means that none is asked for.
	ClientCAFile string
	// Interval is how often the files are read when no event asks for it: for
	// file systems without events, for links that lead out of the directory,
	// and for certificates that expire. 0 means 10 s.
	Interval time.Duration
	// Logger gets a line for each certificate that is taken. Nil means
	// slog.Default().
	Logger *slog.Logger
	// OnFault is told the verdict on each change of the files: nil if they are
	// served now, else why they are not and the last good ones stay. It is
	// called from Run's goroutine. Nil means that a fault goes to Logger.
	OnFault func(error)
}

func (o Options) withDefaults() Options {
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.OnFault == nil {
		o.OnFault = func(err error) {
			if err != nil {
				o.Logger.Error("certificates not taken: the last good ones stay", "error", err)
			}
		}
	}
	return o
}

// Watcher follows the files. TLSConfig may be called at any time; Run is called
// once.
type Watcher struct {
	options Options
	config  atomic.Pointer[tls.Config] // of served: what each handshake uses

	// Both are used by New and after that by Run alone.
	served contents
	fault  string // the last verdict; empty: good
}

// New reads the files. It returns an error that names the flag and the file,
// and never anything of the key, if they cannot be used.
func New(o Options) (*Watcher, error) {
	if o.Interval < 0 {
		return nil, fmt.Errorf("the interval is %v: it must not be negative", o.Interval)
	}
	w := &Watcher{options: o.withDefaults()}
	files, err := w.options.read()
	if err != nil {
		return nil, err
	}
	config, err := w.options.parse(files, time.Now())
	if err != nil {
		return nil, err
	}
	w.served = files
	w.config.Store(config)
	return w, nil
}

// TLSConfig returns a configuration whose every handshake uses the files as
// they are then.
func (w *Watcher) TLSConfig() *tls.Config {
	config := baseConfig()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return w.config.Load(), nil }
	return config
}

// Run follows the files until ctx ends and then returns nil. It returns an
// error only if the system has no file watcher to give.
func (w *Watcher) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the certificates: %w; raise fs.inotify.max_user_instances", err)
	}
	defer watcher.Close()
	interval := time.NewTicker(w.options.Interval)
	defer interval.Stop()
	for {
		w.watch(watcher) // before reading, so that no change falls between
		w.reload()
		if !w.wait(ctx, watcher, interval.C) {
			return nil
		}
	}
}

// wait returns true when the files should be read again, and false when ctx has
// ended.
func (w *Watcher) wait(ctx context.Context, watcher *fsnotify.Watcher, interval <-chan time.Time) bool {
	var settled <-chan time.Time // nil: no burst is under way
	for {
		select {
		case <-ctx.Done():
			return false
		case <-interval:
			return true
		case <-settled:
			return true
		case <-watcher.Events:
			if settled == nil {
				settled = time.After(settle)
			}
		case err := <-watcher.Errors:
			w.options.Logger.Warn("file events lost, the certificates are read at the next interval", "error", err)
		}
	}
}

// watch watches the directories of the files: a watch on a file follows the
// file that a rename has replaced. A directory may be out of reach for a while;
// then the interval alone finds changes.
func (w *Watcher) watch(watcher *fsnotify.Watcher) {
	for _, file := range []string{w.options.CertFile, w.options.KeyFile, w.options.ClientCAFile} {
		if file != "" {
			_ = watcher.Add(filepath.Dir(file))
		}
	}
}

// reload takes the files if they have changed and are good.
func (w *Watcher) reload() {
	files, err := w.options.read()
	var config *tls.Config
	if err == nil {
		config, err = w.options.parse(files, time.Now())
	}
	if err != nil {
		if w.fault != err.Error() {
			w.fault = err.Error()
			w.options.OnFault(err)
		}
		return
	}
	if w.fault == "" && files.equal(w.served) {
		return
	}
	w.served, w.fault = files, ""
	w.config.Store(config)
	w.options.Logger.Info("certificates taken", "file", w.options.CertFile, "expires", config.Certificates[0].Leaf.NotAfter)
	w.options.OnFault(nil)
}
