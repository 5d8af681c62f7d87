package kubernetes

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

func unchanged(*maker) {}

// watching answers every watch with no initial events, and keeps it open.
func watching(r *http.Request, watch bool) (*http.Response, error) {
	if !watch {
		return refuse(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "no lists")(r, watch)
	}
	return newStream().answer(service("", 5))
}

// same fails the test unless both lists are equal.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// The first read is a watch with initial events at no particular version, which
// is a consistent read.
func TestFirstReadIsWatchList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		r.start(t, r.services)
		same(t, "requests", []string{
			"allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true",
		}, r.asked())
		if !r.services.synced.HasSynced() {
			t.Error("it has not synced")
		}
	})
}

func TestOnlyTLSSecretsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		r.start(t, r.secrets)
		if asked := r.asked(); len(asked) != 1 || !strings.Contains(asked[0], "fieldSelector=type%3Dkubernetes.io%2Ftls&") {
			t.Errorf("requests: %v", asked)
		}
	})
}

// An API server without watches with initial events is asked for a list, at the
// latest version: reflectors ask for "0", any that is remembered.
func TestFallbackListIsConsistent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watches []*stream
		r := newRig(t, func(request *http.Request, watch bool) (*http.Response, error) {
			switch {
			case request.URL.Query().Has("sendInitialEvents"):
				return refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "sendInitialEvents is forbidden")(request, watch)
			case watch:
				s := newStream()
				watches = append(watches, s)
				return respond(http.StatusOK, s)
			}
			return respond(http.StatusOK, body(&corev1.ServiceList{
				TypeMeta: metav1.TypeMeta{Kind: "ServiceList", APIVersion: "v1"},
				ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []corev1.Service{*service("a", 3)},
			}))
		}, unchanged)
		r.start(t, r.services)
		watchList := "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true"
		same(t, "requests", []string{watchList, "limit=500", "allowWatchBookmarks=true&resourceVersion=7&watch=true"}, r.asked())

		// Too old a version, and everything is read anew: at least as new as known.
		watches[0].send("ERROR", failure(http.StatusGone, metav1.StatusReasonExpired, "too old resource version"))
		time.Sleep(10 * time.Second)
		asked := r.asked()
		if len(asked) < 3 || !strings.Contains(asked[0], "resourceVersion=7&resourceVersionMatch=NotOlderThan&sendInitialEvents") ||
			asked[1] != "resourceVersion=7" {
			t.Errorf("requests after too old a version: %v", asked)
		}
		for _, query := range asked {
			if slices.Contains(strings.Split(query, "&"), "resourceVersion=0") {
				t.Errorf("a request at any remembered version: %s", query)
			}
		}
	})
}

// A watch that ends again and again is no error to a reflector, but a fault. It
// is over when a watch has lived for 2 s.
func TestFlappingWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(*http.Request, bool) (*http.Response, error) {
			s := newStream()
			response, err := s.answer(service("", 5))
			time.AfterFunc(watchProven-time.Millisecond, s.end)
			return response, err
		}, unchanged)
		r.start(t, r.services)
		r.heard()
		time.Sleep(time.Minute)
		told := r.heard()
		for _, text := range told {
			if text != "services failed: the API server ended the watch after 1.999s" {
				t.Errorf("told %q", text)
			}
		}
		if len(told) < 5 {
			t.Errorf("a minute of flapping was told %d times", len(told))
		}
		r.answers(watching)
		time.Sleep(30 * time.Second)
		if told := r.heard(); len(told) == 0 || told[len(told)-1] != "services works" {
			t.Errorf("told after the repair: %v", told)
		}
	})
}

// A watch counts as working exactly when it has lived for 2 s.
func TestWatchIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		r.start(t, r.services)
		r.heard()
		time.Sleep(watchProven - time.Millisecond)
		same(t, "told before 2 s", nil, r.heard())
		time.Sleep(time.Millisecond)
		same(t, "told at 2 s", []string{"services works"}, r.heard())
	})
}

// The end of a watch that has worked, and one that we end, are no faults.
func TestEndOfAWatchIsNoFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		r := newRig(t, func(*http.Request, bool) (*http.Response, error) { return s.answer(service("", 5)) }, unchanged)
		r.start(t, r.services)
		time.Sleep(watchProven)
		r.answers(watching)
		r.heard()
		s.end()
		time.Sleep(10 * time.Second)
		same(t, "told after the end of an old watch", []string{"services works"}, r.heard())
		s = newStream()
		r.start(t, r.gateways)
		r.heard()
		r.stop()
		time.Sleep(time.Minute)
		same(t, "told after our own end", nil, r.heard())
	})
}

// An API server that gives no answer is named within a second, until it gives
// one, be it an error.
func TestBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var answers func(string)
		r := newRig(t, func(request *http.Request, _ bool) (*http.Response, error) {
			if answers == nil {
				answered := make(chan string)
				answers = func(text string) { answered <- text }
				return nil, errors.New(<-answered)
			}
			return silent(request, true)
		}, unchanged)
		r.start(t, r.services)
		time.Sleep(answerExpected - time.Millisecond)
		same(t, "told at first", nil, r.heard())
		time.Sleep(time.Millisecond)
		same(t, "told then", []string{"services waiting: no answer from api.test since " + began.Format(time.TimeOnly)}, r.heard())
		time.Sleep(time.Minute)
		answers("gave up")
		same(t, "told after the error", []string{"services waiting:", "services failed: cannot reach http://api.test: gave up"}, r.heard())
	})
}

// An answer at the very moment when its absence is shown takes that back.
func TestAnswerAtTheLastMoment(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, watching, unchanged)
			r.services.requests.waiting = func(text string) { r.waiting("services", text) }
			answered := r.services.requests.expect()
			time.Sleep(answerExpected)
			answered()
			if told := r.heard(); len(told) > 0 && told[len(told)-1] != "services waiting:" {
				t.Fatalf("told: %v", told)
			}
		})
	}
}

func TestFaultsAreInTheAPIServersWords(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer answerFunc
		want   string
	}{
		{"forbidden", refuse(http.StatusForbidden, metav1.StatusReasonForbidden, `services is forbidden: User "x" cannot list resource`),
			`failed: services is forbidden: User "x" cannot list resource`},
		{"refused", func(*http.Request, bool) (*http.Response, error) { return nil, syscall.ECONNREFUSED },
			"failed: cannot reach http://api.test: connection refused"},
		{"an error in a watch", func(r *http.Request, watch bool) (*http.Response, error) {
			if !watch {
				return watching(r, watch)
			}
			s := newStream()
			go s.send("ERROR", failure(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcd is full"))
			return respond(http.StatusOK, s)
		}, "failed: etcd is full"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, test.answer, unchanged)
				r.start(t, r.services)
				if told := r.heard(); len(told) == 0 || told[0] != "services "+test.want {
					t.Errorf("told %q, want %q first", told, test.want)
				}
				if r.services.synced.HasSynced() {
					t.Error("it has synced")
				}
				r.answers(watching)
				time.Sleep(10 * time.Second)
				if told := r.heard(); !r.services.synced.HasSynced() || told[len(told)-1] != "services works" {
					t.Errorf("10 s after the repair it has not synced, or does not say so: %q", told)
				}
			})
		})
	}
}

// An error that a watch delivers is what is told, and not that the watch ended
// after it.
func TestErrorInAWatchIsToldAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, watching, unchanged)
		requests := r.services.requests
		requests.failed = func(err error) { r.failed("services", err) }
		requests.works = func() { r.failed("services", nil) }
		server := apiwatch.NewFake()
		w := requests.observe(t.Context(), server)
		go server.Error(failure(http.StatusGone, metav1.StatusReasonExpired, "too old resource version"))
		<-w.ResultChan()
		server.Stop()
		if _, more := <-w.ResultChan(); more {
			t.Error("there is an event after the end")
		}
		time.Sleep(time.Minute)
		same(t, "told", []string{"services failed: too old resource version"}, r.heard())
	})
}

// The end of the program waits for no retry, whatever is wrong.
func TestRunEndsAtOnce(t *testing.T) {
	for name, answer := range map[string]answerFunc{
		"refused":   func(*http.Request, bool) (*http.Response, error) { return nil, syscall.ECONNREFUSED },
		"forbidden": refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "no"),
		"silent":    silent,
		"watching":  watching,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, answer, unchanged)
				ended := make(chan struct{})
				go func() { defer close(ended); r.services.run(r.ctx) }()
				time.Sleep(time.Minute)
				synctest.Wait()
				began := time.Now()
				r.stop()
				<-ended
				if took := time.Since(began); took > 0 {
					t.Errorf("it took %v to end", took)
				}
			})
		})
	}
}

// A delay holds back the first answer and nothing after it.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newStream(), newStream()
		streams := make(chan *stream, 2)
		streams <- first
		streams <- second
		r := newRig(t, func(*http.Request, bool) (*http.Response, error) {
			s := <-streams
			if s == second {
				return respond(http.StatusOK, s)
			}
			return s.answer(service("", 5), service("a", 1))
		}, func(m *maker) { m.delays = map[string]time.Duration{"services": time.Hour} })
		r.start(t, r.services)
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if r.services.synced.HasSynced() {
			t.Error("the list was delivered before the delay was over")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := names(r.services); !r.services.synced.HasSynced() || got != "a" {
			t.Errorf("after the delay: %q", got)
		}
		first.send("ADDED", service("b", 6))
		synctest.Wait()
		if got := names(r.services); got != "a b" {
			t.Errorf("a change after the delay: %q", got)
		}
		first.end()
		time.Sleep(10 * time.Second)
		go second.send("DELETED", service("a", 7)) // blocks until it is read
		synctest.Wait()
		if got := names(r.services); got != "b" {
			t.Errorf("a change in the next watch: %q", got)
		}
	})
}

// names returns the names of an input's objects.
func names[T object](in *input[T]) string {
	var all []string
	for _, o := range in.objects.List() {
		all = append(all, o.GetName())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
