package dir

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"istio.io/istio/pkg/kube/krt"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Options of [New]. The zero value is useful.
type Options struct {
	// Grouping divides the directory into node groups; "" means [All].
	Grouping Grouping
	// Debounce is how long nothing must happen before a change is read, so that
	// files changed together are taken together. A directory that does not come
	// to rest is read after ten times that. 0 means 50 ms.
	Debounce time.Duration
	// Rescan is the time between reads that no event asks for. They find what
	// inotify does not tell: changes on network file systems, changes of what a
	// symbolic link leads to elsewhere, and all changes when the system has no
	// inotify watches left, which is logged. 0 means 30 s.
	Rescan time.Duration
	// Logger gets what cannot be returned; nil means slog.Default().
	Logger *slog.Logger
}

// Update is one state of the directory: a whole Config, or the faults because
// of which there is none. After faults the receiver keeps the Config it has.
type Update struct {
	Config Config // empty if there are Errors
	Errors Errors // nil if there is a Config
}

// Source follows a directory. The way of a change is: inotify event, debounce,
// read of the whole directory, krt collection of that one state, krt singleton
// of the Update made of it, [Source.Latest]. A file is parsed again only if its
// bytes have changed, and an Update is sent only if it differs from the one
// before.
//
// The state is one object of its collection, not one for each file, because krt
// computes from the newest state of each object: with the queue behind by one
// change, files of two states would meet in one Update. Istio's krt/files has
// an object per file; it also drops a change that it cannot parse with a log
// line and does not recover from the loss of the directory or of an event.
//
// All methods are safe for concurrent use.
type Source struct {
	path    string
	options Options
	changed chan struct{} // of capacity one: there is an Update that nobody has taken
	listed  chan struct{}

	// handled tells that krt has called the handler that feeds updates with the
	// first Update. Set before listed is closed and not changed after.
	handled krt.Syncer

	mu     sync.Mutex // guards latest
	latest Update
}

// New returns a source for the directory at path. It returns an error if path
// is not a directory that can be read, or the options make no sense. Nothing
// runs before [Source.Run].
func New(path string, o Options) (*Source, error) {
	o.Grouping = cmp.Or(o.Grouping, All)
	o.Debounce = cmp.Or(o.Debounce, 50*time.Millisecond)
	o.Rescan = cmp.Or(o.Rescan, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if _, err := ParseGrouping(string(o.Grouping)); err != nil {
		return nil, err
	}
	if o.Debounce < 0 || o.Rescan < 0 {
		return nil, fmt.Errorf("debounce %v, rescan %v: want positive durations", o.Debounce, o.Rescan)
	}
	if _, err := os.ReadDir(path); err != nil {
		return nil, Error{File: path, Text: reason(err) + "; name a directory that can be read"}
	}
	return &Source{path: path, options: o, changed: make(chan struct{}, 1), listed: make(chan struct{})}, nil
}

// Listed returns a channel that is closed when the directory has been read for
// the first time, whether or not its files are good.
func (s *Source) Listed() <-chan struct{} { return s.listed }

// Changed returns a channel that receives when there is a new state. It is never
// closed.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Latest returns the latest state; those between two calls are missed. Before
// the source has synced it is the zero Update.
func (s *Source) Latest() Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// HasSynced reports whether there is an Update.
// It is krt's own state: that of the handler's registration.
func (s *Source) HasSynced() bool {
	select {
	case <-s.listed:
		return s.handled.HasSynced()
	default:
		return false
	}
}

// WaitUntilSynced waits for what HasSynced reports; false means that stop was
// closed before.
func (s *Source) WaitUntilSynced(stop <-chan struct{}) bool {
	select {
	case <-s.listed:
		return s.handled.WaitUntilSynced(stop)
	case <-stop:
		return false
	}
}

// Run follows the directory until ctx is done and then returns nil. Losing the
// directory is a fault like others: it is reported in an Update, and healed by
// the directory's return. The error is that of a working directory that cannot
// be found. Run is called once.
//
// The goroutines of krt end with ctx too, but krt does not let anybody wait for
// them; one may be about to publish an Update when Run returns.
func (s *Source) Run(ctx context.Context) error {
	w, err := newWatcher(s.path, s.options)
	if err != nil {
		return err
	}
	defer w.close()

	stop := krt.WithStop(ctx.Done())
	states := krt.NewStaticCollection(nil, []state{w.read()}, stop, krt.WithName("dir/state"))
	var files memo // used by the one goroutine of the singleton
	update := krt.NewSingleton(func(kctx krt.HandlerContext) *Update {
		config, errs := merge(files.parse(*krt.FetchOne(kctx, states)), s.options.Grouping)
		return &Update{config, errs}
	}, stop, krt.WithName("dir/config"))
	s.handled = update.Register(func(e krt.Event[Update]) { s.publish(e.Latest()) })
	close(s.listed)

	w.follow(ctx, func() { states.Reset([]state{w.read()}) })
	return nil
}

// publish makes an Update the latest.
func (s *Source) publish(u Update) {
	s.mu.Lock()
	s.latest = u
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// state is what was read of the directory at one moment.
type state []entry

// ResourceName is the key of the one state in its krt collection.
func (state) ResourceName() string { return "directory" }

// Equals keeps files that were only touched from being put together again.
func (s state) Equals(o state) bool { return slices.EqualFunc(s, o, entry.equal) }

// ResourceName is the key of the one Update in its krt collection.
func (Update) ResourceName() string { return "config" }

// Equals keeps a change that means nothing, such as a comment, from becoming a
// new Update.
func (u Update) Equals(o Update) bool {
	return slices.Equal(u.Errors, o.Errors) &&
		u.Config.Files == o.Config.Files && maps.Equal(u.Config.Defined, o.Config.Defined) &&
		maps.EqualFunc(u.Config.Groups, o.Config.Groups, func(a, b []cache.Resource) bool {
			return slices.EqualFunc(a, b, cache.Resource.Equal)
		})
}
