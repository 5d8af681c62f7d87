package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"istio.io/istio/pkg/kube/krt"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// answerFunc answers a request; watch says whether it asks for one.
type answerFunc func(r *http.Request, watch bool) (*http.Response, error)

// rig is the inputs of an API server, with what they tell.
type rig struct {
	*inputs
	stop context.CancelFunc
	ctx  context.Context //nolint:containedctx // that of the run

	mu      sync.Mutex // guards the following
	answer  answerFunc
	queries []string // of the requests
	told    []string // "RESOURCE failed: …", "RESOURCE works", "RESOURCE waiting: …"
}

// newRig returns the inputs of an API server that gives this answer; nothing
// runs yet. It is for a synctest bubble.
func newRig(t *testing.T, answer answerFunc, change func(*maker)) *rig {
	t.Helper()
	r := &rig{answer: answer}
	r.ctx, r.stop = context.WithCancel(t.Context())
	m := maker{
		config: &rest.Config{Host: "http://api.test", QPS: -1}, httpClient: &http.Client{Transport: r},
		report: report{r.failed, r.waiting}, logger: slog.New(slog.DiscardHandler), krt: krt.NewOptionsBuilder(r.ctx.Done(), "", nil),
	}
	change(&m)
	var err error
	if r.inputs, err = m.inputs(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(); synctest.Wait() })
	return r
}

// start runs an input until the test ends.
func (r *rig) start(t *testing.T, in feed) {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); in.run(r.ctx) }()
	t.Cleanup(func() { r.stop(); <-ended })
	synctest.Wait()
}

func (r *rig) failed(resource string, err error) {
	if err == nil {
		r.tell(resource + " works")
		return
	}
	r.tell(resource + " failed: " + err.Error())
}

func (r *rig) waiting(resource, text string) {
	r.tell(strings.TrimSpace(resource + " waiting: " + text))
}

func (r *rig) tell(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, text)
}

// heard returns what was told since the last call.
func (r *rig) heard() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

// asked returns the queries of the requests since the last call.
func (r *rig) asked() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	queries := r.queries
	r.queries = nil
	return queries
}

// answers sets what the API server answers from now on.
func (r *rig) answers(answer answerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// RoundTrip implements http.RoundTripper.
func (r *rig) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	query.Del("timeout") // random
	query.Del("timeoutSeconds")
	r.mu.Lock()
	r.queries = append(r.queries, query.Encode())
	answer := r.answer
	r.mu.Unlock()
	response, err := answer(request, query.Has("watch"))
	if err == nil { // as http.Transport does
		context.AfterFunc(request.Context(), func() { _ = response.Body.Close() })
	}
	return response, err
}

// respond returns an answer with this body.
func respond(code int, body io.ReadCloser) (*http.Response, error) {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

// refuse answers with an error in the API server's form.
func refuse(code int32, reason metav1.StatusReason, message string) answerFunc {
	return func(*http.Request, bool) (*http.Response, error) {
		return respond(int(code), body(failure(code, reason, message)))
	}
}

func failure(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

// silent answers nothing.
func silent(r *http.Request, _ bool) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// body is a value as JSON.
func body(value any) io.ReadCloser {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return io.NopCloser(bytes.NewReader(text))
}

// stream is the body of a watch: it delivers events until it is ended.
type stream struct {
	*io.PipeReader
	writer *io.PipeWriter
}

func newStream() *stream {
	reader, writer := io.Pipe()
	return &stream{reader, writer}
}

// end ends the watch, as the API server does when it has lasted long enough.
func (s *stream) end() { _ = s.writer.Close() }

// send delivers an event: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
func (s *stream) send(kind string, o any) {
	text, err := json.Marshal(map[string]any{"type": kind, "object": o})
	if err != nil {
		panic(err)
	}
	_, _ = s.writer.Write(text) // nobody reads a watch that was stopped
}

// answer answers with the stream, after it has delivered these objects as the
// initial events of a watch.
func (s *stream) answer(bookmark client.Object, objects ...client.Object) (*http.Response, error) {
	go func() {
		for _, o := range objects {
			s.send("ADDED", o)
		}
		bookmark.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
		s.send("BOOKMARK", bookmark)
	}()
	return respond(http.StatusOK, s)
}

// service is a Service as the API server sends it; version is its
// resourceVersion.
func service(name string, version int) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{Kind: "Service", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name), ResourceVersion: fmt.Sprint(version),
			Annotations:   map[string]string{"a": "b"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
	}
}

// route is an HTTPRoute likewise.
func route(name string, version int) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{Kind: "HTTPRoute", APIVersion: gatewayv1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), ResourceVersion: fmt.Sprint(version)},
	}
}
