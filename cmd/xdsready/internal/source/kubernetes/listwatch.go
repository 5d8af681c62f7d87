package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	// answerExpected is how long a request may stay without an answer before
	// that is shown: an API server behind a firewall gives none for minutes. Whoever
	// looks is told within a second, also where the machine is busy.
	answerExpected = 500 * time.Millisecond
	// watchProven is how long a watch must live, without an event, to count as
	// working. One that flaps is opened again and again without an error.
	watchProven = 2 * time.Second
)

// requests makes the requests of one reflector and tells how each went. It
// knows more than a WatchErrorHandler, which hears neither of a watch that the
// API server ends with an error or at once, nor of one that works again.
type requests struct {
	client   rest.Interface
	resource string
	fields   string        // field selector
	delay    time.Duration // before the first answer; for tests of what a slow input does

	failed  func(error)       // a request or a watch has failed
	works   func()            // a watch works
	waiting func(text string) // what takes long, "" when it is over
}

// listerWatcher returns what a reflector asks. Both of its initial reads are
// consistent: a watch with initial events (WatchList) without a resourceVersion
// is, and the list that the reflector falls back to asks for resourceVersion
// "0", any state that the API server remembers, which is replaced here by none:
// the latest.
func (r *requests) listerWatcher() cache.ListerWatcher {
	return &cache.ListWatch{ListWithContextFunc: r.list, WatchFuncWithContext: r.watch}
}

func (r *requests) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	if options.ResourceVersion == "0" {
		options.ResourceVersion = ""
	}
	answered := r.expect()
	list, err := r.request(options).Do(ctx).Get()
	answered()
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	r.hold(ctx)
	return list, nil
}

func (r *requests) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	answered := r.expect()
	w, err := r.request(options).Watch(ctx)
	answered()
	if err != nil {
		err = r.fail(ctx, err)
		if options.SendInitialEvents != nil && utilnet.IsConnectionRefused(err) {
			// Or the reflector would sleep on it without an eye on ctx.
			err = errors.New(err.Error())
		}
		return nil, err
	}
	r.hold(ctx)
	return r.observe(ctx, w), nil
}

func (r *requests) request(options metav1.ListOptions) *rest.Request {
	options.FieldSelector = r.fields
	request := r.client.Get().Resource(r.resource).VersionedParams(&options, metav1.ParameterCodec)
	if options.TimeoutSeconds != nil {
		request = request.Timeout(time.Duration(*options.TimeoutSeconds) * time.Second)
	}
	return request
}

// expect shows that there is no answer, until the function that it returns.
func (r *requests) expect() (answered func()) {
	began := time.Now()
	var mu sync.Mutex // guards both, and the order of what is shown
	over, shown := false, false
	timer := time.AfterFunc(answerExpected, func() {
		mu.Lock()
		defer mu.Unlock()
		if shown = !over; shown {
			r.waiting(fmt.Sprintf("no answer from %s since %s", r.client.Get().URL().Host, began.Format(time.TimeOnly)))
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		if over = true; shown {
			r.waiting("")
		}
	}
}

// hold delays the first answer where a test wants that.
func (r *requests) hold(ctx context.Context) {
	if r.delay == 0 {
		return
	}
	select {
	case <-time.After(r.delay):
	case <-ctx.Done():
	}
	r.delay = 0
}

// fail reports a failure, and returns it.
func (r *requests) fail(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		r.failed(plain(err))
	}
	return err
}

// plain is an error in the API server's own words, without the query of the
// request that it answers.
func plain(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if target, parseErr := url.Parse(failed.URL); parseErr == nil {
			return fmt.Errorf("cannot reach %s://%s: %w", target.Scheme, target.Host, failed.Err)
		}
	}
	return err
}

// observed is a watch that tells how it went.
type observed struct {
	watch.Interface
	events  chan watch.Event
	stop    sync.Once
	stopped chan struct{}
}

// ResultChan implements watch.Interface.
func (o *observed) ResultChan() <-chan watch.Event { return o.events }

// Stop implements watch.Interface.
func (o *observed) Stop() {
	o.stop.Do(func() { close(o.stopped) })
	o.Interface.Stop()
}

// observe passes the events on until the API server ends the watch or the
// reflector, which never leaves one running, stops it. What happens at the end
// of ctx is no failure.
func (r *requests) observe(ctx context.Context, w watch.Interface) watch.Interface {
	o := &observed{Interface: w, events: make(chan watch.Event), stopped: make(chan struct{})}
	began, proven := time.Now(), time.AfterFunc(watchProven, r.works)
	go func() {
		defer close(o.events)
		defer proven.Stop()
		for event := range w.ResultChan() {
			if event.Type == watch.Error {
				proven.Stop()
				_ = r.fail(ctx, apierrors.FromObject(event.Object)) // the reflector gets the event itself
			}
			select {
			case o.events <- event:
			case <-o.stopped:
				return
			}
		}
		if proven.Stop() && !o.wasStopped() {
			_ = r.fail(ctx, fmt.Errorf("the API server ended the watch after %v", time.Since(began).Round(time.Millisecond)))
		}
	}()
	return o
}

func (o *observed) wasStopped() bool {
	select {
	case <-o.stopped:
		return true
	default:
		return false
	}
}
